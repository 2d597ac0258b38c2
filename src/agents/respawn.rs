//! Whether a program of `respawn` or `failfast` is started again after it has ended. Pure.

use std::time::Duration;

use super::action::How;

/// A life below this is a short one.
const SHORT: Duration = Duration::from_secs(30);
/// After a short life the next one waits.
const PAUSE: Duration = Duration::from_secs(1);
/// So many short lives in a row are too many.
const MOST: u32 = 10;
/// A program that ends with this is not to be started again.
const DO_NOT_RESTART: i32 = 100;

/// The lives of one program.
#[derive(Debug, Clone, Copy)]
pub struct Lives {
    failfast: bool,
    short: u32,
}

/// What follows the end of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Start it again after this.
    Again(Duration),
    /// It is not wanted any more.
    Over,
    /// It ends too quickly too often.
    TooFast,
    /// `failfast`: restart the machine.
    Reboot,
}

impl Lives {
    /// None lived yet.
    #[must_use]
    pub fn new(failfast: bool) -> Self {
        Self { failfast, short: 0 }
    }

    /// It ended, after it had lived for `lived`.
    pub fn ended(&mut self, lived: Duration, how: How) -> Next {
        match how {
            How::Exited(DO_NOT_RESTART) => return Next::Over,
            How::Exited(0) => {}
            _ if self.failfast => return Next::Reboot,
            _ => {}
        }
        if lived >= SHORT {
            self.short = 0;
            return Next::Again(Duration::ZERO);
        }
        self.short += 1;
        if self.short > MOST { Next::TooFast } else { Next::Again(PAUSE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn short_lives_wait_and_end_the_program_after_ten() {
        let mut lives = Lives::new(false);
        for _ in 0..10 {
            assert_eq!(lives.ended(Duration::ZERO, How::Exited(1)), Next::Again(PAUSE));
        }
        assert_eq!(lives.ended(Duration::ZERO, How::Killed(9)), Next::TooFast);
        let mut lives = Lives::new(false);
        for _ in 0..50 {
            assert_eq!(lives.ended(Duration::ZERO, How::Exited(0)), Next::Again(PAUSE));
            assert_eq!(lives.ended(LONG, How::Killed(15)), Next::Again(Duration::ZERO), "a long life starts the count anew");
        }
    }

    #[test]
    fn a_hundred_means_over_and_failfast_means_the_machine() {
        assert_eq!(Lives::new(false).ended(Duration::ZERO, How::Exited(100)), Next::Over);
        assert_eq!(Lives::new(true).ended(LONG, How::Exited(100)), Next::Over);
        assert_eq!(Lives::new(true).ended(LONG, How::Exited(0)), Next::Again(Duration::ZERO));
        assert_eq!(Lives::new(true).ended(LONG, How::Exited(1)), Next::Reboot);
        assert_eq!(Lives::new(true).ended(LONG, How::Killed(11)), Next::Reboot);
    }
}

//! How an error is told in one line of a log. The errors themselves stand with the code that makes them.

use std::error::Error;

/// The error and its causes, separated by colons.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open link")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        let error = Outer(std::io::Error::from_raw_os_error(libc::ENODEV));
        assert_eq!(chain(&error), "cannot open link: No such device (os error 19)");
    }
}

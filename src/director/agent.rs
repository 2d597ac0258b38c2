//! What an agent on a real server says about it: HAProxy's agent protocol, one line of words. `75%` is a part of the weight;
//! `drain`, `maint` and `ready` are its administrator's will; `down`, `failed`, `stopped` and `up` its own view.

/// What an agent has said so far. Each word changes what it is about and nothing else; an agent that is silent changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// Of the weight, in percent.
    pub percent: u32,
    /// Whether it takes new connections.
    pub will: Will,
    /// Whether it calls itself down.
    pub down: bool,
}

/// What the administrator of the real server wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Will {
    /// It takes new connections.
    Ready,
    /// It takes no new connections.
    Drain,
    /// It is out.
    Maintenance,
}

impl Default for Agent {
    fn default() -> Self {
        Self { percent: 100, will: Will::Ready, down: false }
    }
}

/// Most that an agent can ask for, as with HAProxy's weights: 256 of 1.
const MOST: u32 = 25_600;

impl Agent {
    /// Takes a line into account. Words that are not known are passed over, and so is what follows a `#`.
    #[must_use]
    pub fn heard(mut self, line: &str) -> Self {
        let words = line.split(['\r', '\n']).next().unwrap_or_default().split([' ', '\t', ',']).filter(|w| !w.is_empty());
        for word in words {
            let (word, reason) = word.split_once('#').map_or((word, false), |(w, _)| (w, true));
            match word.to_ascii_lowercase().as_str() {
                "ready" => self.will = Will::Ready,
                "drain" => self.will = Will::Drain,
                "maint" => self.will = Will::Maintenance,
                "up" => self.down = false,
                "down" | "failed" | "fail" | "stopped" => self.down = true,
                other => {
                    if let Some(percent) = other.strip_suffix('%').and_then(|n| n.parse::<u32>().ok()) {
                        self.percent = percent.min(MOST);
                    }
                }
            }
            if reason {
                break;
            }
        }
        self
    }

    /// Of a weight. Of one above 0 at least 1 is left, unless the agent says 0%.
    #[must_use]
    pub fn of(self, weight: u32) -> u32 {
        let part = u64::from(weight) * u64::from(self.percent) / 100;
        let least = u32::from(weight > 0 && self.percent > 0);
        u32::try_from(part).unwrap_or(u32::MAX).clamp(least, 65_535)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> (u32, Will, bool) {
        let agent = lines.iter().fold(Agent::default(), |a, l| a.heard(l));
        (agent.percent, agent.will, agent.down)
    }

    #[test]
    fn each_word_changes_what_it_is_about() {
        assert_eq!(heard(&["75%\n"]), (75, Will::Ready, false));
        assert_eq!(heard(&["75%", "drain\r\n"]), (75, Will::Drain, false));
        assert_eq!(heard(&["maint", "up"]), (100, Will::Maintenance, false));
        assert_eq!(heard(&["maint", "ready, up 50%"]), (50, Will::Ready, false));
        assert_eq!(heard(&["down#disk full 10%"]), (100, Will::Ready, true));
        assert_eq!(heard(&["failed", "UP"]), (100, Will::Ready, false));
        assert_eq!(heard(&["maxconn:30 hello -3% 7 %", "", "x\ndown"]), (100, Will::Ready, false));
    }

    #[test]
    fn a_part_of_a_weight_is_not_lost_by_rounding() {
        let of = |percent, weight| Agent { percent, ..Agent::default() }.of(weight);
        assert_eq!((of(75, 100), of(1, 10), of(0, 10), of(50, 0), of(200, 3)), (75, 1, 0, 0, 6));
        assert_eq!(of(MOST, 65_535), 65_535);
    }
}

//! Processes whose clocks are wrong.

/// What a process needs in its environment so that its clock is so many seconds ahead; behind, when they are negative.
pub fn environment(seconds: i64) -> [(&'static str, String); 2] {
    [("LD_PRELOAD", env!("SKEWED_CLOCK").to_owned()), ("SKEWED_CLOCK_SECONDS", seconds.to_string())]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn time_of_day(ahead: Option<i64>) -> i64 {
        let mut date = Command::new("date");
        let said = date.arg("+%s").envs(ahead.into_iter().flat_map(environment)).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().parse().unwrap()
    }

    #[test]
    fn a_process_sees_another_time_of_day() {
        for ahead in [-3_600, 0, 3_600] {
            let (before, there, after) = (time_of_day(None), time_of_day(Some(ahead)), time_of_day(None));
            assert!((before..=after).contains(&(there - ahead)), "{before} here, {there} there");
        }
    }
}

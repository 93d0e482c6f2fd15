//! Progress for people, one line each with the time since the start. Logs go elsewhere.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How often a long step says that it is still at work.
const STILL_AT_WORK: Duration = Duration::from_secs(10);

/// Prints stages to standard output, or to standard error where the output is for programs.
#[derive(Debug, Clone)]
pub struct Progress {
    started: Instant,
    on_standard_error: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { started: Instant::now(), on_standard_error: false }
    }
}

impl Progress {
    /// Keeps standard output free for a result.
    pub fn on_standard_error() -> Self {
        Self { on_standard_error: true, ..Self::default() }
    }

    /// Prints a stage.
    pub fn say(&self, message: impl Display) {
        let line = format!("{:7.1} s  {message}\n", self.started.elapsed().as_secs_f32());
        self.write(&line);
    }

    /// Prints a line without the time, as for links at the end.
    pub fn note(&self, message: impl Display) {
        self.write(&format!("{message}\n"));
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Awaits `work`, saying every few seconds that it goes on.
    pub async fn while_waiting<T>(&self, message: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(STILL_AT_WORK, work.as_mut()).await {
                Ok(result) => return result,
                Err(_) => self.say(message),
            }
        }
    }

    /// A closed pipe (`webrana dev | head`) is no reason to fall over.
    fn write(&self, text: &str) {
        let write_to =
            |mut output: Box<dyn Write>| output.write_all(text.as_bytes()).and_then(|()| output.flush());
        let _ = if self.on_standard_error {
            write_to(Box::new(io::stderr().lock()))
        } else {
            write_to(Box::new(io::stdout().lock()))
        };
    }
}

//! A bar for whoever waits.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// From how many steps on there is something to wait for.
const MANY: usize = 200;

/// A bar on standard error, if that is a terminal and the work is long.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many steps.
    pub fn new(steps: usize) -> Self {
        let target = if steps < MANY {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target);
        // The template is ours and correct; without it the bar has its usual look.
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// One step is done.
    pub fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

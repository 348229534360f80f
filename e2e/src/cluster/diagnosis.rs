//! What a person needs to see when something in the cluster went wrong.

use std::fmt::Write as _;

use super::Plan;
use super::components::Components;
use crate::shell;

/// The components' logs, and what the cluster says of itself.
pub(super) fn report(plan: &Plan, components: &Components<'_>) -> String {
    let mut report = components.report();
    let questions: &[&[&str]] = &[
        &["get", "events", "-A", "--sort-by=.lastTimestamp"],
        &["get", "pods", "-A", "-o", "wide"],
    ];
    for question in questions {
        let answer = kubectl(plan, question).unwrap_or_else(|error| format!("{error:#}"));
        let _ = writeln!(
            report,
            "--- kubectl {}\n{}",
            question.join(" "),
            shell::tail(&answer, 40)
        );
    }
    report
}

/// Runs kubectl with every right.
pub(super) fn kubectl(plan: &Plan, args: &[&str]) -> anyhow::Result<String> {
    let mut command = std::process::Command::new(plan.tools.bin("kubectl")?);
    super::harness::environment(&mut command, &plan.data, &plan.tools.path());
    shell::run(command.arg("--request-timeout=20s").args(args))
}

//! Where staff look in the engine's web UI: links to one workflow, and to lists that answer a question. Queries use our search
//! attributes; what a namespace holds of other installations is left out.

use chrono::NaiveDate;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    instance::InstanceStatus,
    order::OrderStatus,
    outbox::{SearchAttribute, WorkflowType},
    provisioning::FailureClass,
};

/// The queue of all workflows, of before each kind had one.
const OLD_QUEUE: &str = "lifecycle";

/// All that a segment of a path or a value of a query may not have, and more: links are pasted into terminals and chats.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A list in the web UI that answers a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// A short name for programs.
    pub name: String,
    /// What it answers.
    pub question: String,
    /// The list's filter, as the web UI and `temporal workflow list --query` take it.
    pub query: String,
}

impl View {
    fn of(name: impl Into<String>, question: impl Into<String>, query: String) -> Self {
        Self { name: name.into(), question: question.into(), query }
    }

    /// The list below a namespace's page, such as `http://127.0.0.1:8233/namespaces/default`.
    #[must_use]
    pub fn url(&self, namespace_ui: &str) -> String {
        format!("{}/workflows?query={}", trimmed(namespace_ui), utf8_percent_encode(&self.query, ESCAPED))
    }
}

/// The page of a workflow below a namespace's page. The id is one segment of the path, so its slash is escaped.
#[must_use]
pub fn workflow_url(namespace_ui: &str, workflow_id: &str) -> String {
    format!("{}/workflows/{}", trimmed(namespace_ui), utf8_percent_encode(workflow_id, ESCAPED))
}

fn trimmed(namespace_ui: &str) -> &str {
    namespace_ui.trim_end_matches('/')
}

/// The questions that are asked every day, as of a day in Jakarta, about one installation.
#[must_use]
pub fn all(queue_prefix: &str, today: NaiveDate) -> Vec<View> {
    let orders = |query: String| running(queue_prefix, WorkflowType::Order, &query);
    let servers = |query: String| running(queue_prefix, WorkflowType::Instance, &query);
    let due = SearchAttribute::NextDue;
    let mut views = vec![
        View::of("stuck_orders", "Why is this order stuck?", orders(of_status(OrderStatus::Provisioning))),
        View::of(
            "failed_orders",
            "Which orders wait for staff?",
            orders(of_status(OrderStatus::ProvisioningFailed)),
        ),
    ];
    views.extend(FailureClass::ALL.iter().map(|class| {
        let query = format!(
            "{} AND {} = '{class}'",
            of_status(OrderStatus::ProvisioningFailed),
            SearchAttribute::FailureClass
        );
        let name = format!("failed_orders_{}", class.as_str().to_lowercase());
        View::of(name, format!("Which orders failed as {class}?"), orders(query))
    }));
    views.extend([
        View::of("due_today", "What is due today, reminders aside?", servers(format!("{due} = '{today}'"))),
        View::of("overdue", "What should have happened before today?", servers(format!("{due} < '{today}'"))),
        View::of(
            "suspended_servers",
            "Which servers are suspended?",
            servers(of_server(InstanceStatus::Suspended)),
        ),
        View::of(
            "going_servers",
            "Which servers are being deleted?",
            servers(of_server(InstanceStatus::Terminating)),
        ),
        View::of("pinned_runs", "What ends on the version it began on?", pinned(queue_prefix)),
        View::of(
            "old_queue",
            "What is left on the old queue?",
            left_on(&format!("{queue_prefix}{OLD_QUEUE}")),
        ),
        View::of("failing_tasks", "Which workflows' code fails?", failing(queue_prefix)),
    ]);
    views
}

fn of_status(status: OrderStatus) -> String {
    format!("{} = '{status}'", SearchAttribute::OrderStatus)
}

fn of_server(status: InstanceStatus) -> String {
    format!("{} = '{status}'", SearchAttribute::InstanceStatus)
}

fn running(queue_prefix: &str, workflow: WorkflowType, query: &str) -> String {
    format!("{} AND WorkflowType = '{workflow}' AND {query}", open(queue_prefix))
}

fn pinned(queue_prefix: &str) -> String {
    format!("{} AND TemporalWorkflowVersioningBehavior = 'Pinned'", open(queue_prefix))
}

fn left_on(queue: &str) -> String {
    format!("ExecutionStatus = 'Running' AND TaskQueue = '{queue}'")
}

fn failing(queue_prefix: &str) -> String {
    let problems = "'category=WorkflowTaskFailed', 'category=WorkflowTaskTimedOut'";
    format!("{} AND TemporalReportedProblems IN ({problems})", open(queue_prefix))
}

fn open(queue_prefix: &str) -> String {
    if queue_prefix.is_empty() {
        return "ExecutionStatus = 'Running'".to_owned();
    }
    format!("ExecutionStatus = 'Running' AND TaskQueue STARTS_WITH '{queue_prefix}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UI: &str = "http://ui/namespaces/default/";

    #[test]
    fn a_link_can_be_pasted_anywhere() {
        assert_eq!(workflow_url(UI, "order/1-2"), "http://ui/namespaces/default/workflows/order%2F1-2");
        let views = all("", NaiveDate::from_ymd_opt(2026, 11, 30).unwrap());
        let due = views.iter().find(|view| view.name == "due_today").unwrap();
        assert_eq!(
            due.query,
            "ExecutionStatus = 'Running' AND WorkflowType = 'InstanceWorkflow' AND NextDue = '2026-11-30'"
        );
        assert_eq!(
            due.url(UI),
            "http://ui/namespaces/default/workflows?query=ExecutionStatus%20%3D%20%27Running%27%20AND%20WorkflowType\
             %20%3D%20%27InstanceWorkflow%27%20AND%20NextDue%20%3D%20%272026-11-30%27"
        );
    }

    #[test]
    fn every_question_has_a_name_of_its_own_and_is_about_one_installation() {
        let views = all("t1-", NaiveDate::default());
        let names: std::collections::BTreeSet<&str> = views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(names.len(), views.len());
        for view in &views {
            assert!(view.query.contains("t1-"), "{view:?}");
        }
    }
}

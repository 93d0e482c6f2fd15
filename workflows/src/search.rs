//! Search attributes: what ops can ask the Temporal UI for. They are never encrypted, so: ids and words only.

use temporalio_common::search_attributes::SearchAttributeKey;

/// Where the order stands, in the words of [`domain::order::OrderStatus`].
pub const ORDER_STATUS: SearchAttributeKey<String> = SearchAttributeKey::keyword("OrderStatus");
/// Slug of the provider.
pub const PROVIDER: SearchAttributeKey<String> = SearchAttributeKey::keyword("Provider");
/// Slug of the plan.
pub const PLAN_SLUG: SearchAttributeKey<String> = SearchAttributeKey::keyword("PlanSlug");
/// Id of the customer.
pub const CUSTOMER_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("CustomerId");
/// Id of the server.
pub const INSTANCE_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("InstanceId");
/// Why provisioning failed, in the words of [`domain::provisioning::FailureClass`].
pub const FAILURE_CLASS: SearchAttributeKey<String> = SearchAttributeKey::keyword("FailureClass");

/// Names of all of them, for registration; each is a keyword.
pub const ALL: &[&str] = &["OrderStatus", "Provider", "PlanSlug", "CustomerId", "InstanceId", "FailureClass"];

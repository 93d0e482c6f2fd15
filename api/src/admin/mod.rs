//! The admin area: staff read, administrators act on orders, invoices, money and promos, superadministrators manage
//! providers, as `auth::access` has it of every operation. Each handler takes `Staff`, or `Treasurer` where it moves money.
//! Whoever may not gets 403 `forbidden`.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod announcements;
mod audit_log;
mod bulk_retries;
mod catalog_sync;
mod dashboard;
mod deliveries;
mod disputes;
mod exports;
mod holds;
mod impersonation;
mod instances;
mod invoice_commands;
mod invoices;
mod ledger;
mod life;
mod money;
mod offers;
mod order_commands;
mod order_servers;
mod orders;
mod outbox;
mod pauses;
mod payment_detail;
mod payments;
mod payouts;
mod placements;
mod plans;
mod promos;
mod proofs;
mod providers;
mod queues;
mod reason;
mod reconciliation;
mod refunds;
mod search;
mod treasurer;
mod users;
mod wake;
mod webhooks;

/// Routes under `/admin`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(dashboard::get))
        .routes(routes!(search::find))
        .routes(routes!(announcements::list, announcements::create))
        .routes(routes!(announcements::get))
        .routes(routes!(announcements::cancel))
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::timeline))
        .routes(routes!(order_commands::retry_provisioning))
        .routes(routes!(order_commands::approve_payment))
        .routes(routes!(order_commands::reject_payment))
        .routes(routes!(order_commands::cancel))
        .routes(routes!(order_servers::replace))
        .routes(routes!(order_servers::attach))
        .routes(routes!(bulk_retries::request, bulk_retries::list))
        .routes(routes!(bulk_retries::get))
        .routes(routes!(bulk_retries::stop))
        .routes(routes!(pauses::list))
        .routes(routes!(pauses::get, pauses::pause, pauses::resume))
        .routes(routes!(wake::order))
        .routes(routes!(wake::instance))
        .routes(routes!(holds::list, holds::hold))
        .routes(routes!(holds::release))
        .routes(routes!(life::held))
        .routes(routes!(life::release))
        .routes(routes!(life::confirm_restore))
        .routes(routes!(life::rules, life::set_rules))
        .routes(routes!(life::pauses))
        .routes(routes!(life::get_pause, life::pause, life::resume))
        .routes(routes!(instances::list))
        .routes(routes!(instances::get))
        .routes(routes!(instances::waive_final_snapshot))
        .routes(routes!(refunds::refund_order))
        .routes(routes!(refunds::refund_invoice))
        .routes(routes!(refunds::list))
        .routes(routes!(refunds::get))
        .routes(routes!(refunds::retry))
        .routes(routes!(disputes::list))
        .routes(routes!(disputes::get))
        .routes(routes!(disputes::accept))
        .routes(routes!(disputes::dismiss))
        .routes(routes!(money::wallet))
        .routes(routes!(money::adjust_wallet))
        .routes(routes!(invoice_commands::draft))
        .routes(routes!(invoice_commands::change))
        .routes(routes!(invoice_commands::issue))
        .routes(routes!(invoice_commands::void))
        .routes(routes!(invoices::list))
        .routes(routes!(invoices::get))
        .routes(routes!(invoices::html))
        .routes(routes!(invoices::pdf))
        .routes(routes!(payments::list))
        .routes(routes!(payment_detail::get))
        .routes(routes!(payment_detail::check))
        .routes(routes!(payouts::list, payouts::book))
        .routes(routes!(proofs::list))
        .routes(routes!(proofs::get))
        .routes(routes!(promos::list, promos::create))
        .routes(routes!(promos::get, promos::change, promos::delete))
        .routes(routes!(promos::redemptions))
        .routes(routes!(plans::list, plans::create))
        .routes(routes!(plans::get, plans::change))
        .routes(routes!(offers::regions))
        .routes(routes!(offers::region, offers::change_region))
        .routes(routes!(offers::images))
        .routes(routes!(offers::image, offers::change_image))
        .routes(routes!(offers::terms))
        .routes(routes!(offers::term, offers::change_term))
        .routes(routes!(providers::list))
        .routes(routes!(providers::get, providers::change))
        .routes(routes!(catalog_sync::request))
        .routes(routes!(catalog_sync::list))
        .routes(routes!(catalog_sync::get))
        .routes(routes!(reconciliation::list, reconciliation::request))
        .routes(routes!(reconciliation::get))
        .routes(routes!(reconciliation::quarantined))
        .routes(routes!(reconciliation::release))
        .routes(routes!(ledger::list, ledger::request))
        .routes(routes!(ledger::get))
        .routes(routes!(ledger::trial_balance))
        .routes(routes!(queues::get))
        .routes(routes!(outbox::list))
        .routes(routes!(outbox::requeue))
        .routes(routes!(outbox::requeue_dead))
        .routes(routes!(outbox::skip))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::resend))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::get))
        .routes(routes!(webhooks::replay))
        .routes(routes!(users::list))
        .routes(routes!(users::get))
        .routes(routes!(users::suspend))
        .routes(routes!(users::unsuspend))
        .routes(routes!(users::unlock))
        .routes(routes!(users::reset_second_factor))
        .routes(routes!(users::set_role))
        .routes(routes!(impersonation::begin, impersonation::end))
        .routes(routes!(users::write_note, users::notes))
        .routes(routes!(audit_log::list))
        .routes(routes!(exports::orders))
        .routes(routes!(exports::invoices))
        .routes(routes!(exports::payments))
        .routes(routes!(exports::ledger_entries))
        .routes(routes!(exports::users))
        .routes(routes!(exports::instances))
        .routes(routes!(exports::audit_log))
}

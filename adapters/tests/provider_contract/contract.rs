//! The list of what is asked of every vendor.

/// Makes a test of each clause for a [`crate::vendor::Vendor`].
macro_rules! contract {
    ($vendor:ty) => {
        contract! {
            $vendor, life:
            a_server_is_created_found_ready_deleted_and_gone,
            every_server_of_a_tag_is_found_oldest_first_and_no_other,
            one_order_has_one_name_where_names_are_unique,
            a_tag_that_nobody_carries_is_forgotten,
            a_long_list_is_read_to_its_end_with_as_few_calls_as_can_be,
            a_new_server_shows_up_within_the_listing_lag,
            a_server_without_an_address_is_not_ready,
            a_server_that_vanished_is_not_found,
            servers_of_two_customers_share_no_network,
        }
        contract! {
            $vendor, actions:
            power_goes_off_and_on,
            a_restart_leaves_it_running,
            a_rebuild_keeps_the_server,
            a_resize_gives_the_new_size,
            a_snapshot_is_taken_put_back_and_deleted,
            a_name_changes,
            backups_go_on_and_off,
            a_password_is_set_and_told_to_nobody,
            what_it_is_not_capable_of_is_refused_without_a_call,
            an_action_on_a_server_that_is_gone_is_not_found,
            a_busy_server_refuses_as_a_conflict,
            a_lost_answer_to_an_action_is_ambiguous,
        }
        contract! {
            $vendor, catalog:
            what_is_ordered_is_on_offer,
            metrics_are_well_formed,
            a_console_is_secret_or_unsupported,
        }
        contract! {
            $vendor, errors:
            refusals_are_sorted,
            sold_out_and_full_are_told_apart,
            wrong_credentials_are_a_matter_of_configuration,
            a_lost_answer_is_ambiguous_and_the_server_exists,
            a_late_answer_is_ambiguous_and_the_server_exists,
            a_server_error_is_ambiguous_only_where_something_changes,
            a_page_in_the_place_of_a_refusal_is_no_verdict,
            a_page_in_the_place_of_a_success_is_none,
            a_credential_that_http_has_no_words_for_is_never_sent,
            trouble_is_told_by_kind_of_call,
            a_provider_that_is_not_there_was_told_nothing,
            too_many_calls_say_when_to_come_back,
            a_locked_server_is_deleted_later,
            every_call_waits_for_its_turn,
        }
        contract! { $vendor, real: the_vendor_keeps_its_side }
    };
    ($vendor:ty, $part:ident: $($clause:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $clause() {
                crate::$part::$clause::<$vendor>().await;
            }
        )+
    };
}

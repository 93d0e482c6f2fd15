//! An order whose provider is sold out.

use domain::{failover::FailoverPolicy, provisioning::FailureClass};
use sqlx::PgPool;
use store::page::PageRequest;

use crate::{Shop, configured, failure, place, step_words};

const ON: FailoverPolicy = FailoverPolicy { enabled: true, margin_bp: 1_000 };

#[sqlx::test(migrations = "../migrations")]
async fn it_goes_on_at_another_provider_and_everybody_is_told(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(ON).await;
    let fence = shop.store.provisioning_job(order).await.unwrap().create_fence;
    let moved = shop.sold_out(order, 1).await;
    assert_eq!(moved.as_deref(), Some("vultr"), "the nearest in Singapore");

    assert_eq!(shop.status(order).await, "PROVISIONING");
    assert_eq!(shop.places(order).await, [place("digitalocean", "ordered"), place("vultr", "failover")]);
    let job = shop.store.provisioning_job(order).await.unwrap();
    assert_eq!(
        (job.provider.as_str(), job.size.as_str(), job.region.as_str()),
        ("vultr", "vc2-1c-1gb", "sgp")
    );
    assert!(job.create_fence > fence, "who read the old place can't create there any more");
    let begun = shop.store.start_provisioning(order).await.unwrap();
    assert_eq!(
        (begun.provider.as_str(), begun.plan.as_str(), begun.try_number),
        ("vultr", "vultr-regular-1gb", 2)
    );
    let task = shop.store.order_for_staff(order).await.unwrap().task.unwrap();
    assert_eq!((task.provider_type.as_str(), task.last_error), ("vultr", None));

    let server = shop.store.start_provisioning(order).await.unwrap().instance_id.unwrap();
    let sql = "SELECT p.slug FROM instances i JOIN providers p ON p.id = i.provider_id WHERE i.order_id = $1";
    assert_eq!(shop.text_of(sql, order).await, "vultr", "{server}");
    let ordered = shop.store.any_order(order).await.unwrap();
    assert_eq!(ordered.provider, "digitalocean", "what was ordered stays");

    let steps = shop.store.timeline_of(shop.customer, order).await.unwrap();
    let step = steps.iter().find(|step| step.step == "provisioning_moved").unwrap();
    let words = step_words(step);
    assert!(words.starts_with("DigitalOcean has no room"), "{words}");
    assert!(words.contains("Vultr") && words.contains("price stays"), "{words}");
    assert_eq!(step.detail["from"]["provider"], "digitalocean");
    assert_eq!(step.detail["to"]["plan"], "vultr-regular-1gb");
    assert_eq!(step.detail["class"], "CAPACITY");
    let page = PageRequest { before: None, limit: 50 };
    let told = shop.store.notifications(shop.customer, false, page).await.unwrap().data;
    assert_eq!(told.iter().filter(|notice| notice.kind == "PROVISIONING_MOVED").count(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_second_run_of_the_step_answers_the_same(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(ON).await;
    for _ in 0..3 {
        assert_eq!(shop.sold_out(order, 1).await.as_deref(), Some("vultr"));
    }
    assert_eq!(shop.places(order).await.len(), 2);
    let sql = "SELECT count(*) FROM order_timeline WHERE order_id = $1 AND step = 'provisioning_moved'";
    assert_eq!(shop.count_of(sql, order).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn every_provider_is_tried_once_then_it_fails(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(ON).await;
    assert_eq!(shop.sold_out(order, 1).await.as_deref(), Some("vultr"));
    assert_eq!(shop.sold_out(order, 2).await.as_deref(), Some("linode"));
    assert_eq!(shop.sold_out(order, 3).await, None);
    assert_eq!(shop.status(order).await, "PROVISIONING_FAILED");
    assert_eq!(shop.sold_out(order, 3).await, None, "the failure's second run");
    assert_eq!(shop.sold_out(order, 2).await.as_deref(), Some("linode"), "the failover's second run");
}

#[sqlx::test(migrations = "../migrations")]
async fn it_fails_where_the_policy_the_class_or_the_budget_forbids_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let off = shop.order(FailoverPolicy::OFF).await;
    assert_eq!(shop.sold_out(off, 1).await, None);
    assert_eq!(shop.status(off).await, "PROVISIONING_FAILED");

    for class in [FailureClass::Configuration, FailureClass::Retryable, FailureClass::Permanent] {
        let order = shop.order(ON).await;
        let moved = shop.store.fail_provisioning(order, 1, &failure(class), &configured()).await.unwrap();
        assert_eq!(moved, None, "{class}");
        assert_eq!(shop.places(order).await.len(), 1);
    }

    let dear = shop.order(ON).await;
    shop.run("UPDATE plans SET cost_monthly_usd = 6.61 WHERE slug <> 'do-basic-1gb'").await;
    assert_eq!(shop.sold_out(dear, 1).await, None, "6.61 is above 110 % of 6.00");
    let fits = shop.order(ON).await;
    shop.run("UPDATE plans SET cost_monthly_usd = 6.60 WHERE slug = 'linode-nanode-1gb'").await;
    assert_eq!(shop.sold_out(fits, 1).await.as_deref(), Some("linode"));
}

#[sqlx::test(migrations = "../migrations")]
async fn only_what_is_set_up_on_sale_and_has_the_image_stands_in(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let capacity = failure(FailureClass::Capacity);
    let alone = shop.order(ON).await;
    let only = ["digitalocean".to_owned()];
    assert_eq!(shop.store.fail_provisioning(alone, 1, &capacity, &only).await.unwrap(), None);

    let steps = [
        ("UPDATE providers SET is_active = false WHERE slug = 'vultr'", Some("linode")),
        ("DELETE FROM image_sources USING providers p WHERE p.id = provider_id AND p.slug = 'linode'", None),
    ];
    for (change, expected) in steps {
        let order = shop.order(ON).await;
        shop.run(change).await;
        assert_eq!(shop.sold_out(order, 1).await.as_deref(), expected, "{change}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_moves_while_a_server_may_exist(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let unknown = shop.order(ON).await;
    assert!(shop.store.mark_create_sent(unknown, 0).await.unwrap());
    assert_eq!(shop.sold_out(unknown, 1).await, None);
    assert_eq!(shop.status(unknown).await, "PROVISIONING_FAILED");
    assert_eq!(shop.store.provisioning_job(unknown).await.unwrap().provider, "digitalocean");

    let known = shop.order(ON).await;
    shop.store.save_server(known, "4711").await.unwrap();
    assert_eq!(shop.sold_out(known, 1).await, None);
    assert_eq!(shop.places(known).await.len(), 1);
}

/// A worker that was taken for dead and is about to create where the order was, and the failover: never both.
#[sqlx::test(migrations = "../migrations")]
async fn a_late_create_and_the_failover_agree_on_one(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for _ in 0..20 {
        let order = shop.order(ON).await;
        let late = shop.store.provisioning_job(order).await.unwrap();
        let (sent, moved) =
            tokio::join!(shop.store.mark_create_sent(order, late.create_fence), shop.sold_out(order, 1),);
        assert!(sent.unwrap() != moved.is_some(), "exactly one of them");
        let job = shop.store.provisioning_job(order).await.unwrap();
        if moved.is_some() {
            assert_eq!((job.provider.as_str(), job.create_sent_ago), ("vultr", None));
            assert!(!shop.store.mark_create_sent(order, late.create_fence).await.unwrap(), "nor later");
        } else {
            assert_eq!(job.provider, "digitalocean");
            assert!(job.create_sent_ago.is_some());
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_of_before_placements_moves_too(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(ON).await;
    for sql in [
        "ALTER TABLE order_placements DISABLE TRIGGER order_placements_append_only",
        "DELETE FROM order_placements",
    ] {
        sqlx::query(sql).execute(&shop.pool).await.unwrap();
    }
    assert_eq!(shop.store.provisioning_job(order).await.unwrap().provider, "digitalocean");
    assert_eq!(shop.sold_out(order, 1).await.as_deref(), Some("vultr"));
    assert_eq!(shop.places(order).await, [place("digitalocean", "ordered"), place("vultr", "failover")]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_servers_workflow_starts_where_the_server_is(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(ON).await;
    shop.sold_out(order, 1).await;
    shop.store.save_server(order, "a1").await.unwrap();
    let ipv4 = Some("203.0.113.7".to_owned());
    shop.store.save_address(order, ipv4, None, domain::instance::PowerState::On).await.unwrap();
    shop.store.activate_order(order).await.unwrap();
    let sql = "SELECT payload -> 'body' ->> 'provider' FROM outbox
               WHERE kind = 'start_instance' AND payload -> 'body' ->> 'order_id' = $1::text";
    assert_eq!(shop.text_of(sql, order).await, "vultr");
}

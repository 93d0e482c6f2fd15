use std::collections::BTreeMap;

use domain::{
    ids::{InvoiceId, OrderId, UserId},
    ledger::{AccountKind, LedgerError, Service},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{TestRng, TestRunner},
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::{Store, StoreError};
use testkit::{
    TestApp,
    bulk::{catalog, invoices, orders, payments, payments_of_invoices, people},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::world::{CUSTOMERS, Cast, Event, ORDERS, TERMS, World, event};

const SEQUENCES: usize = 1_000;
const AT_ONCE: usize = 8;

/// Every sequence has customers of its own, so all of them share one database and run at the same time: what they do to
/// the house's accounts interleaves.
#[sqlx::test(migrations = "../migrations")]
async fn a_thousand_sequences_do_what_the_model_does(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool
        .max_connections(AT_ONCE as u32 + 1)
        .connect_with(options.options([("synchronous_commit", "off")]))
        .await
        .unwrap();
    let seed: [u8; 32] = rand::random();
    let mut runner =
        TestRunner::new_with_rng(ProptestConfig::default(), TestRng::from_seed(Default::default(), &seed));
    let sequences: Vec<(Cast, Vec<Event>)> = (0..SEQUENCES)
        .map(|_| {
            let events = prop::collection::vec(event(), 1..30).new_tree(&mut runner).unwrap().current();
            (Cast::new(Uuid::now_v7), events)
        })
        .collect();
    let app = TestApp::unseeded(pool.clone());
    app.expect_unsound_books();
    prepare(&pool, &sequences).await;

    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let store = app.store.clone();
        let own: Vec<_> = sequences.iter().skip(worker).step_by(AT_ONCE).cloned().collect();
        workers.spawn(async move {
            let mut house = BTreeMap::new();
            for (cast, events) in own {
                let world = run(&store, cast, &events, &seed).await;
                for (account, _, balance) in world.books.balances() {
                    *house.entry(account).or_insert(0) += balance.get();
                }
            }
            house
        });
    }
    let mut expected: BTreeMap<AccountKind, i64> = AccountKind::ALL.iter().map(|kind| (*kind, 0)).collect();
    for (account, balance) in workers.join_all().await.into_iter().flatten() {
        *expected.entry(account).or_default() += balance;
    }
    let report = app.store.check_ledger().await.unwrap();
    let booked: BTreeMap<_, _> = report.accounts.iter().map(|a| (a.account, a.balance.get())).collect();
    assert_eq!(booked, expected, "seed {seed:?}");
    // Nothing marked these payments as paid, no promo code gave these bonuses, and these refunds and disputes have no rows:
    // what is booked for them is not compared with what was paid, promised, asked for and taken back.
    let elsewhere = [
        "what came in is what was paid",
        "every credited bonus is of a redeemed promo code, and the other way round",
        "what is owed through gateways is what open refunds say",
        "every fee that a payer paid is in the books, and no other",
        "every accepted dispute is in the books with its amount, and no other",
        "what customers owe us is what accepted disputes say",
    ];
    let broken: Vec<_> =
        report.findings.iter().filter(|f| f.count > 0 && !elsewhere.contains(&f.rule.as_ref())).collect();
    assert!(broken.is_empty(), "seed {seed:?}: {broken:#?}");
    assert!(report.movements > SEQUENCES as i64);
}

/// Plays a sequence on the model and on the database: each movement must have the same outcome, and all accounts and
/// orders the same end.
async fn run(store: &Store, cast: Cast, events: &[Event], seed: &[u8; 32]) -> World {
    let mut world = World::new(cast);
    for event in events {
        let Ok(movements) = world.plan(event) else { continue };
        let mut all = true;
        for movement in &movements {
            let expected = world.books.post(movement);
            let booked = store.book(movement).await;
            let same = match (&expected, &booked) {
                (Ok(expected), Ok(booked)) => expected == booked,
                (Err(LedgerError::Insufficient), Err(StoreError::InsufficientBalance)) => true,
                _ => false,
            };
            assert!(same, "seed {seed:?}, {events:?}: {movement:?} gave {booked:?}, not {expected:?}");
            match expected {
                Ok(true) => world.took_place(event, movement),
                Ok(false) => {}
                Err(_) => {
                    all = false;
                    break;
                }
            }
        }
        if all {
            world.happened(event);
        }
    }
    world.check();
    for (n, (customer, orders)) in world.cast.customers.iter().zip(world.cast.orders).enumerate() {
        let id = UserId(*customer);
        let balances = store.wallet(id).await.unwrap();
        assert_eq!(balances.wallet, world.books.balance(AccountKind::CustomerWallet, Some(id)));
        assert_eq!(balances.holds, world.books.balance(AccountKind::CustomerHolds, Some(id)));
        let orders = orders.map(|order| Service::Order(OrderId(order)));
        let terms = world.cast.terms[n].map(|invoice| Service::Invoice(InvoiceId(invoice)));
        for service in orders.into_iter().chain(terms) {
            assert_eq!(store.position(service).await.unwrap(), world.books.position(service));
        }
    }
    world
}

/// The people, orders and payments that the movements name.
async fn prepare(pool: &PgPool, sequences: &[(Cast, Vec<Event>)]) {
    let catalog = catalog(pool).await;
    let casts = || sequences.iter().map(|(cast, _)| cast);
    people(pool, &casts().flat_map(|cast| cast.customers).collect::<Vec<_>>()).await;
    for order in 0..ORDERS {
        let price = Cast::price(order);
        let rows: Vec<_> = casts()
            .flat_map(|cast| (0..CUSTOMERS).map(move |c| (cast.orders[c][order], cast.customers[c])))
            .collect();
        orders(pool, catalog, &rows, price.total.get(), price.tax.get()).await;
    }
    let of_orders = casts().flat_map(|cast| {
        (0..CUSTOMERS).flat_map(move |c| {
            (0..ORDERS)
                .flat_map(move |o| cast.order_payments[c][o].map(|payment| (payment, cast.orders[c][o])))
        })
    });
    // A deposit's payment is as good as an order's here: the ledger only wants it to exist.
    let of_deposits = casts().flat_map(|cast| {
        (0..CUSTOMERS).flat_map(move |c| cast.deposit_payments[c].map(|payment| (payment, cast.orders[c][0])))
    });
    payments(pool, &of_orders.chain(of_deposits).collect::<Vec<_>>()).await;
    for term in 0..TERMS {
        let price = Cast::price_of_term(term);
        let each = || casts().flat_map(|cast| (0..CUSTOMERS).map(move |c| (cast, c)));
        let rows: Vec<_> = each().map(|(cast, c)| (cast.terms[c][term], cast.customers[c])).collect();
        invoices(pool, &rows, price.total.get(), price.tax.get()).await;
        let rows: Vec<_> = each()
            .flat_map(|(cast, c)| cast.term_payments[c][term].map(|payment| (payment, cast.terms[c][term])))
            .collect();
        payments_of_invoices(pool, &rows).await;
    }
}

//! What open connections are told of: everything that happened, once, in whichever order it is committed.

use domain::{
    ids::UserId,
    live::{Cursor, LiveKind, Snapshot},
    purge::{PurgeRule, Purgeable},
};
use sqlx::PgPool;
use store::{
    Store,
    live::{Backlog, LiveChange},
};
use testkit::{TestApp, leftovers};
use uuid::Uuid;

async fn since(store: &Store, snapshot: &Snapshot) -> (Vec<LiveChange>, Snapshot) {
    let part = store.live_changes(snapshot, None, 0, 100).await.unwrap();
    (part.changes, part.until)
}

fn objects(changes: &[LiveChange]) -> Vec<Uuid> {
    changes.iter().map(|change| change.object).collect()
}

async fn missed(store: &Store, person: UserId, cursor: &Cursor) -> Vec<(LiveChange, Cursor)> {
    let now = store.live_snapshot().await.unwrap();
    match store.live_backlog(person, cursor, &now, 100).await.unwrap() {
        Backlog::Complete(told) => told,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_committed_late_is_read_then_and_once(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let siti = app.customer().await;
    let start = app.store.live_snapshot().await.unwrap();
    let mut late = app.pool.begin().await.unwrap();
    let first = leftovers::told(&mut *late, siti.0).await;
    let second = leftovers::told(&app.pool, siti.0).await;

    let (changes, then) = since(&app.store, &start).await;
    assert_eq!(objects(&changes), [second]);
    assert_eq!((changes[0].user, changes[0].kind), (siti, Some(LiveKind::NotificationNew)));
    assert_eq!(since(&app.store, &then).await.0, []);
    late.commit().await.unwrap();
    let (late, now) = since(&app.store, &then).await;
    assert_eq!(objects(&late), [first]);
    assert!(late[0].id < changes[0].id, "its number is the smaller one");
    assert_eq!(since(&app.store, &now).await.0, []);
    assert!(now.covers(&then) && !then.covers(&now));

    let part = app.store.live_changes(&start, None, 0, 1).await.unwrap();
    assert_eq!(objects(&part.changes), [first]);
    leftovers::told(&app.pool, siti.0).await;
    let rest = app.store.live_changes(&start, Some(&part.until), part.changes[0].id, 9).await.unwrap();
    assert_eq!((objects(&rest.changes), &rest.until), (vec![second], &part.until), "up to where it began");
}

#[sqlx::test(migrations = "../migrations")]
async fn who_comes_back_is_told_what_they_missed_from_any_place(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let (siti, budi) = (app.customer().await, app.customer().await);
    let start = Cursor::at(app.store.live_snapshot().await.unwrap());
    let mut late = app.pool.begin().await.unwrap();
    let mut ids = vec![leftovers::told(&mut *late, siti.0).await];
    for _ in 0..2 {
        leftovers::told(&app.pool, budi.0).await;
        ids.push(leftovers::told(&app.pool, siti.0).await);
    }
    let told = missed(&app.store, siti, &start).await;
    let seen: Vec<Uuid> = told.iter().map(|(change, _)| change.object).collect();
    assert_eq!(seen, ids[1..]);
    late.commit().await.unwrap();
    ids.push(leftovers::told(&app.pool, siti.0).await);

    // Each place is one in what was told up to there, also the one in the middle of a part.
    let after_one = missed(&app.store, siti, &told[0].1).await;
    let rest: Vec<Uuid> = after_one.iter().map(|(change, _)| change.object).collect();
    assert_eq!(rest, [ids[2], ids[0], ids[3]]);
    let after_two = missed(&app.store, siti, &told[1].1).await;
    assert_eq!(after_two.len(), 2);
    for (number, (_, cursor)) in after_one.iter().enumerate() {
        let again: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!(missed(&app.store, siti, &again).await.len(), 2 - number);
    }
    let now = app.store.live_snapshot().await.unwrap();
    let much = app.store.live_backlog(siti, &start, &now, 3).await.unwrap();
    assert!(matches!(much, Backlog::TooMuch), "{much:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_purged_is_missing_for_who_was_not_told(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let siti = app.customer().await;
    let start = Cursor::at(app.store.live_snapshot().await.unwrap());
    leftovers::told(&app.pool, siti.0).await;
    let told = missed(&app.store, siti, &start).await;
    app.run("UPDATE live_changes SET created_at = created_at - interval '1 day'").await;
    let between = Cursor::at(app.store.live_snapshot().await.unwrap());
    let young = leftovers::told(&app.pool, siti.0).await;
    let rule = PurgeRule { what: Purgeable::LiveChanges, kept_for_ms: Purgeable::LiveChanges.kept_for_ms() };
    assert_eq!(app.store.purge(&rule, 100).await.unwrap(), 1);
    assert_eq!(app.store.purge(&rule, 100).await.unwrap(), 0, "the other one is young");

    let now = app.store.live_snapshot().await.unwrap();
    let gone = app.store.live_backlog(siti, &start, &now, 100).await.unwrap();
    assert!(matches!(gone, Backlog::Gone), "{gone:?}");
    assert!(!told.is_empty());
    let kept = missed(&app.store, siti, &between).await;
    assert_eq!(kept.iter().map(|(change, _)| change.object).collect::<Vec<_>>(), [young]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_people_are_to_see_at_once_is_told(pool: PgPool) {
    let app = TestApp::new(pool).await;
    let siti = app.customer().await;
    let start = app.store.live_snapshot().await.unwrap();
    let order = app.order().by(siti).active().await;
    let (changes, then) = since(&app.store, &start).await;
    assert!(changes.iter().all(|change| change.user == siti), "{changes:?}");
    let of = |kind, changes: &[LiveChange]| -> Vec<LiveChange> {
        changes.iter().filter(|change| change.kind == Some(kind)).cloned().collect()
    };
    let orders = of(LiveKind::OrderStatus, &changes);
    let states: Vec<&str> = orders.iter().map(|change| change.status.as_deref().unwrap()).collect();
    assert_eq!(states, ["PAID", "PROVISIONING", "ACTIVE"]);
    assert!(orders.iter().all(|change| change.object == order.id.0));
    let servers = of(LiveKind::InstanceStatus, &changes);
    let last = servers.last().unwrap();
    assert_eq!((last.status.as_deref(), last.power_state.as_deref()), (Some("ACTIVE"), Some("ON")));
    assert_eq!(last.object, order.server().0);
    let told = of(LiveKind::NotificationNew, &changes).len();
    assert_eq!(told, app.count("SELECT count(*) FROM in_app_notifications").await as usize);

    assert_eq!(app.store.read_all_notifications(siti).await.unwrap() as usize, told);
    app.store.read_all_notifications(siti).await.unwrap();
    let (changes, then) = since(&app.store, &then).await;
    assert_eq!(of(LiveKind::NotificationRead, &changes).len(), told, "each once");
    for _ in 0..51 {
        leftovers::told(&app.pool, siti.0).await;
    }
    let (_, then) = since(&app.store, &then).await;
    app.store.read_all_notifications(siti).await.unwrap();
    let (changes, _) = since(&app.store, &then).await;
    assert_eq!(changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [Some(LiveKind::Resync)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn who_listens_is_woken(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let siti = app.customer().await;
    let mut listener = app.store.listen_live().await.unwrap();
    for _ in 0..2 {
        leftovers::told(&app.pool, siti.0).await;
    }
    listener.heard().await.unwrap();
    listener.forget_heard();
    listener.is_there().await.unwrap();
}

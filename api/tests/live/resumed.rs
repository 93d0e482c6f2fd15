//! Connections that are lost and taken up again: nothing is missing then, and nothing is told twice.

use api::{AppState, Live, LiveSettings};
use domain::{
    purge::{PurgeRule, Purgeable},
    role::Role,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    http::{TestApi, User},
    leftovers,
};

use crate::{tab::Tab, told::another};

async fn tell(api: &TestApi, person: &User) -> Value {
    json!(leftovers::told(&api.pool, person.id.0).await)
}

fn cursor(message: &Value) -> &str {
    message["cursor"].as_str().unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn what_happened_meanwhile_is_told_once_from_any_place(pool: PgPool) {
    let api = TestApi::setup(pool).unseeded().open().await;
    let (here, there) = (api.listen().await, another(&api, LiveSettings::default()).listen().await);
    let siti = api.user(Role::Customer).await;
    let (mut tab, start) = Tab::open(&here, &siti.token).await;
    let first = tell(&api, &siti).await;
    let heard = tab.hear().await;
    assert_eq!(heard["data"]["id"], first);
    tab.lose();

    let mut late = api.pool.begin().await.unwrap();
    let second = json!(leftovers::told(&mut *late, siti.id.0).await);
    let third = tell(&api, &siti).await;
    let (mut tab, welcome) = Tab::reopen(&there, &siti.token, cursor(&heard)).await;
    assert_eq!(welcome["data"], json!({ "success": true, "resumed": true }));
    let after_third = tab.hear().await;
    assert_eq!(after_third["data"]["id"], third);
    late.commit().await.unwrap();
    let fourth = tell(&api, &siti).await;
    assert_eq!(tab.ids(2).await, [second.clone(), fourth.clone()]);
    tab.lose();

    // From the place after each of them, whichever process it is.
    for address in [&here, &there] {
        let (mut tab, _) = Tab::reopen(address, &siti.token, &start).await;
        let mut place = start.clone();
        for (told, id) in [&first, &second, &third, &fourth].into_iter().enumerate() {
            let next = tab.hear().await;
            assert_eq!(&next["data"]["id"], id);
            place = cursor(&next).to_owned();
            let (mut again, _) = Tab::reopen(address, &siti.token, &place).await;
            let rest = [&second, &third, &fourth].into_iter().skip(told).cloned().collect::<Vec<_>>();
            assert_eq!(again.ids(rest.len()).await, rest);
        }
        let (mut tab, welcome) = Tab::reopen(address, &siti.token, &place).await;
        assert_eq!(welcome["data"]["resumed"], true);
        let next = tell(&api, &siti).await;
        assert_eq!(
            tab.ids(1).await,
            std::slice::from_ref(&next),
            "nothing was missed, so nothing was before it"
        );
        // So that the next round ends where this one does.
        let (mut tab, _) = Tab::reopen(address, &siti.token, &place).await;
        assert_eq!(tab.ids(1).await, std::slice::from_ref(&next));
        sqlx::query("DELETE FROM live_changes WHERE object_id = $1::text::uuid")
            .bind(next.as_str().unwrap())
            .execute(&api.pool)
            .await
            .unwrap();
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn who_can_not_be_told_what_they_missed_is_told_so(pool: PgPool) {
    let api = TestApi::setup(pool)
        .unseeded()
        .state(|state| {
            let settings = LiveSettings { backlog: 2, ..LiveSettings::default() };
            AppState { live: Live::new(state.store.clone(), settings), ..state }
        })
        .open()
        .await;
    let address = api.listen().await;
    let siti = api.user(Role::Customer).await;
    let (tab, start) = Tab::open(&address, &siti.token).await;
    tab.lose();
    let resync = async |cursor: &str| {
        let (mut tab, welcome) = Tab::reopen(&address, &siti.token, cursor).await;
        assert_eq!(welcome["data"], json!({ "success": true, "resumed": false }));
        let told = tab.hear().await;
        assert_eq!(told["event"], "resync");
        let next = tell(&api, &siti).await;
        assert_eq!(tab.ids(1).await, [next], "what happens from then on is told");
        told["data"]["reason"].clone()
    };
    for unknown in ["", "1", "2~5.1", "1~999999999999.1", "x", "1~5.1~6.1~999999999999999999999"] {
        assert_eq!(resync(unknown).await, "unknown_cursor", "{unknown}");
    }
    assert_eq!(resync(&start).await, "too_much");
    api.run("UPDATE live_changes SET created_at = created_at - interval '1 day'").await;
    let what = Purgeable::LiveChanges;
    let rule = PurgeRule { what, kept_for_ms: what.kept_for_ms() };
    api.store.purge(&rule, 1_000).await.unwrap();
    assert_eq!(resync(&start).await, "too_old");
}

#[sqlx::test(migrations = "../migrations")]
async fn who_is_too_slow_is_dropped_and_misses_nothing(pool: PgPool) {
    let api = TestApi::setup(pool)
        .unseeded()
        .state(|state| {
            let settings = LiveSettings { queue: 2, ..LiveSettings::default() };
            AppState { live: Live::new(state.store.clone(), settings), ..state }
        })
        .open()
        .await;
    let address = api.listen().await;
    let (siti, budi) = (api.user(Role::Customer).await, api.user(Role::Customer).await);
    let (mut slow, start) = Tab::open(&address, &siti.token).await;
    let (mut other, _) = Tab::open(&address, &budi.token).await;
    let mut much = api.pool.begin().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(json!(leftovers::told(&mut *much, siti.id.0).await));
    }
    let his = json!(leftovers::told(&mut *much, budi.id.0).await);
    much.commit().await.unwrap();
    assert_eq!(slow.end().await, (4450, "too_slow".to_owned()));
    assert_eq!(other.ids(1).await, [his], "others don't notice");
    let (mut tab, _) = Tab::reopen(&address, &siti.token, &start).await;
    assert_eq!(tab.ids(5).await, ids);
}

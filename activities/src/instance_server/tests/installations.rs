//! What a server's tags say of whose it is, and what becomes of them.

use secrecy::ExposeSecret;

use super::*;

/// A database that was copied from production to staging knows production's servers by their ids.
#[sqlx::test(migrations = "../migrations")]
async fn another_installations_server_is_left_alone_whatever_our_records_say(pool: PgPool) {
    let world = World::new(pool).await;
    world.done(InstanceAction::Reboot).await;
    let before = world.simulated.simulator.calls(ACTIONS);
    let copy = Installation::parse("staging").unwrap();
    let store = world.store().clone().with_installation(copy);
    let world = World { activities: ServerActivities { store, ..world.activities }, ..world };
    for action in [
        InstanceAction::PowerOff,
        InstanceAction::Rebuild { image: "debian-12".to_owned() },
        InstanceAction::Delete,
    ] {
        let asked = world.begin(action.clone()).await;
        let refused = match action {
            InstanceAction::Delete => world.activities.delete(asked).await,
            _ => world.run(asked).await,
        };
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, StepError::Foreign { installation, .. } if installation == "development"));
        assert!(!refused.is_passing());
        sqlx::query("DELETE FROM instance_actions").execute(&world.pool).await.unwrap();
    }
    assert_eq!((world.simulated.simulator.calls(ACTIONS), world.droplets().await), (before, 1));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_servers_own_tag_goes_with_it(pool: PgPool) {
    let world = World::new(pool).await;
    let asked = world.begin(InstanceAction::Delete).await;
    world.activities.delete(asked).await.unwrap();
    let url = format!("{}/v2/tags/{}", world.simulated.simulator.url(), order_tag(world.order));
    let answer = reqwest::Client::new()
        .get(url)
        .bearer_auth(world.simulated.account.credential.expose_secret())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
}

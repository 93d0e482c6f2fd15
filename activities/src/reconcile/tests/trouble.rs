//! A provider that does not answer, and a server that the database refuses.

use super::*;

#[sqlx::test(migrations = "../migrations")]
async fn trouble_is_kept_with_the_run(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let fault = json!({ "route": "GET /v2/droplets", "kind": "status", "status": 503 });
    let url = format!("{}/__sim/faults", fleet.simulator.url());
    let refused = reqwest::Client::new().post(url).json(&fault).send().await.unwrap();
    assert_eq!(refused.status(), 201);
    let start = ReconcileStart {
        provider: SLUG.to_owned(),
        reconciliation_id: None,
        settings: REPORT,
        policy: StepPolicy::OF_UPKEEP,
    };
    let error = fleet.activities.reconcile(&start, "a run").await.unwrap_err();
    assert!(error.class().is_retryable());
    let run = fleet.store().reconciliations(None, AgeSort::Newest, ALL).await.unwrap().data.remove(0);
    assert_eq!(run.status, domain::upkeep::RunStatus::Failed);
    let done = fleet.activities.reconcile(&start, "a run").await.unwrap();
    assert_eq!(done.reconciliation_id, run.id);
    assert_eq!(fleet.count("SELECT count(*) FROM reconciliations WHERE status = 'COMPLETED'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn one_server_there_is_trouble_with_does_not_stop_those_behind_it(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let poisoned = fleet.server(Uuid::now_v7().into()).await;
    let stray = fleet.server(Uuid::now_v7().into()).await;
    let poison = format!(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.provider_instance_id = '{}' THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW;
         END $$;
         CREATE TRIGGER poison BEFORE INSERT ON quarantined_servers FOR EACH ROW EXECUTE FUNCTION poison();",
        poisoned.id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(poison)).execute(&fleet.pool).await.unwrap();
    let begun = fleet.store().begin_reconciliation(SLUG, None, "a run", false).await.unwrap();
    let begun = Begun { at: Utc::now() + TimeDelta::hours(1), ..begun };
    let observation = Observation::new(fleet.store(), [fleet.cloud.as_ref(); 2], ACT, begun);
    let done = fleet.activities.carry_out(&observation).await.unwrap();
    assert_eq!((done.failed, done.orphans), (1, 1));
    let kept: Vec<_> = fleet.quarantine().await.into_iter().map(|row| row.provider_instance_id).collect();
    assert_eq!(kept, std::slice::from_ref(&stray.id));
    assert!(!fleet.is_on(&stray).await && fleet.is_on(&poisoned).await);
}

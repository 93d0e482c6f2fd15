use super::*;
use uuid::Uuid;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn server() -> ProviderServer {
    ProviderServer {
        id: "7".into(),
        size: "s-1".into(),
        region: "sgp1".into(),
        name: "web-1".into(),
        tags: Vec::new(),
        ipv4: Some(std::net::Ipv4Addr::new(192, 0, 2, 1)),
        ipv6: None,
        power: PowerState::On,
        ready: true,
        created_at: at(100),
    }
}

fn known(order_status: OrderStatus, instance: Option<(InstanceStatus, Option<&str>)>) -> KnownOrder {
    let instance = instance.map(|(status, server)| KnownInstance {
        id: Uuid::nil().into(),
        status,
        provider: "digitalocean".into(),
        server: server.map(str::to_owned),
        size: "s-1".into(),
        region: "sgp1".into(),
        ipv4: Some("192.0.2.1".into()),
        ipv6: None,
        power: PowerState::On,
        busy: false,
    });
    KnownOrder { order_id: Uuid::nil().into(), order_status, instance }
}

const LATE: i64 = 1_000;

#[test]
fn an_attached_server_is_wanted_until_its_record_ends() {
    use InstanceStatus as I;
    use OrderStatus as O;
    let verdict = |order, status| {
        let known = known(order, Some((status, Some("7"))));
        judge(&server(), Some(&known), Some(&known), at(LATE))
    };
    assert_eq!(verdict(O::Active, I::Active), Verdict::Wanted);
    assert_eq!(verdict(O::Active, I::Suspended), Verdict::Wanted);
    assert_eq!(verdict(O::Provisioning, I::Provisioning), Verdict::Wanted);
    let unwanted = |reason| Verdict::Unwanted(FindingKind::Orphan, reason);
    let failed = verdict(O::ProvisioningFailed, I::Provisioning);
    assert_eq!(failed, unwanted(FindingReason::OrderFailedWithServer));
    assert_eq!(verdict(O::Active, I::Terminated), unwanted(FindingReason::StillCostsMoney));
    assert_eq!(verdict(O::Cancelled, I::Provisioning), unwanted(FindingReason::OrderClosed));
    assert_eq!(verdict(O::Refunded, I::Provisioning), unwanted(FindingReason::OrderClosed));
}

#[test]
fn whoever_may_still_be_waiting_for_a_server_is_left_in_peace() {
    let verdict = |tagged: Option<&KnownOrder>, young_after| judge(&server(), None, tagged, at(young_after));
    assert_eq!(verdict(None, 99), Verdict::NotYetJudged);
    for status in [OrderStatus::Paid, OrderStatus::Provisioning] {
        let waiting = known(status, Some((InstanceStatus::Provisioning, None)));
        assert_eq!(verdict(Some(&waiting), LATE), Verdict::NotYetJudged);
        let attached_elsewhere = known(status, Some((InstanceStatus::Provisioning, Some("8"))));
        assert_eq!(verdict(Some(&attached_elsewhere), LATE), Verdict::NotYetJudged);
    }
}

#[test]
fn every_other_server_is_unwanted_with_its_reason() {
    use FindingKind::{Duplicate, Orphan};
    use InstanceStatus as I;
    use OrderStatus as O;
    let verdict = |order, instance| judge(&server(), None, Some(&known(order, instance)), at(LATE));
    let unwanted = Verdict::Unwanted;
    assert_eq!(judge(&server(), None, None, at(LATE)), unwanted(Orphan, FindingReason::NoOrder));
    assert_eq!(
        verdict(O::Active, Some((I::Active, Some("8")))),
        unwanted(Duplicate, FindingReason::OtherServerAttached)
    );
    assert_eq!(
        verdict(O::ProvisioningFailed, Some((I::Provisioning, Some("8")))),
        unwanted(Duplicate, FindingReason::OtherServerAttached)
    );
    assert_eq!(
        verdict(O::ProvisioningFailed, Some((I::Provisioning, None))),
        unwanted(Orphan, FindingReason::OrderFailed)
    );
    assert_eq!(
        verdict(O::Active, Some((I::Terminated, Some("8")))),
        unwanted(Orphan, FindingReason::NoLiveInstance)
    );
    for closed in [O::Cancelled, O::Expired, O::Refunded, O::PendingPayment] {
        assert_eq!(verdict(closed, None), unwanted(Orphan, FindingReason::OrderClosed), "{closed}");
    }
}

#[test]
fn a_server_that_may_yet_be_taken_is_not_touched() {
    for reason in FindingReason::ALL {
        let touched = reason.may_be_quarantined();
        let expected = matches!(
            reason,
            FindingReason::NoOrder
                | FindingReason::OrderClosed
                | FindingReason::NoLiveInstance
                | FindingReason::StillCostsMoney
                | FindingReason::OtherServerAttached
                | FindingReason::OlderServerKept
        );
        assert_eq!(touched, expected, "{reason}");
    }
}

#[test]
fn differences_are_named_unless_somebody_is_at_work() {
    let mut record = known(OrderStatus::Active, Some((InstanceStatus::Active, Some("7")))).instance.unwrap();
    assert!(differences(&server(), &record).is_empty());
    record.size = "s-2".into();
    record.power = PowerState::Off;
    record.ipv4 = None;
    let found = differences(&server(), &record);
    assert_eq!(found.iter().map(|d| d.field.as_str()).collect::<Vec<_>>(), ["size", "power", "ipv4"]);
    assert_eq!(found.iter().filter(|d| is_correctable(d)).count(), 2);
    let silent = ProviderServer { power: PowerState::Unknown, ipv4: None, ..server() };
    assert_eq!(differences(&silent, &record).len(), 1);
    record.busy = true;
    assert!(differences(&server(), &record).is_empty());
}

#[test]
fn a_month_costs_whole_rupiah() {
    let cost = |usd: Decimal| monthly_cost(usd, Decimal::new(163_333, 1)).unwrap().get();
    assert_eq!(cost(Decimal::new(6, 0)), 98_000);
    assert_eq!(cost(Decimal::new(5_00893, 5)), 81_812);
    assert_eq!(monthly_cost(Decimal::MAX, Decimal::MAX), Err(AmountOverflow));
}

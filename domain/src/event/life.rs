//! The end of a server's term, and what comes after it.

use chrono::{DateTime, Utc};

use super::{
    example::{HOST, hour, id, moment},
    facts::{EventData, Facts, data},
};
use crate::{
    Rupiah,
    ids::{InstanceId, InvoiceId},
    life::{Held, Notice},
    notification::NotificationKind,
};

data! {
    /// A server's term nears its end.
    ServerExpiring {
        instance_id: InstanceId,
        name: String,
        expires_at: DateTime<Utc>,
        /// Which reminder it is.
        notice: Notice,
    }

    /// A renewal that was to come from the balance can't be paid from it.
    RenewalLacksMoney {
        instance_id: InstanceId,
        name: String,
        invoice_id: InvoiceId,
        number: String,
        total: Rupiah,
        /// What there is too little of.
        missing: Rupiah,
        expires_at: DateTime<Utc>,
    }

    /// A server's term is over, and it was not renewed.
    ServerInGrace {
        instance_id: InstanceId,
        name: String,
        expired_at: DateTime<Utc>,
        /// When it will be switched off; none while our team holds it.
        suspends_at: Option<DateTime<Utc>>,
    }

    /// A server was switched off for want of money.
    ServerSuspended {
        instance_id: InstanceId,
        name: String,
        expired_at: DateTime<Utc>,
        /// When it will be deleted; none while our team holds it.
        deletes_at: Option<DateTime<Utc>>,
    }

    /// A server that was switched off is paid and on again.
    ServerResumed { instance_id: InstanceId, name: String, suspended_at: DateTime<Utc> }

    /// A server will be deleted.
    ServerDeletionNear {
        instance_id: InstanceId,
        name: String,
        expired_at: DateTime<Utc>,
        /// Which word of it is meant.
        notice: Notice,
        /// When; none while our team holds it.
        deletes_at: Option<DateTime<Utc>>,
    }

    /// More servers were to be suspended or deleted within an hour than usual: they are held back.
    StepsHeldBack {
        step: Held,
        /// How many are held back.
        number: i64,
        hour: String,
    }

    /// The database was put back to an earlier state: nothing is suspended or deleted until somebody has looked.
    DatabasePutBack {
        instance_id: InstanceId,
        /// Looks at the server's life that its workflow knows of, and that the database does.
        known: i64,
        found: i64,
        hour: String,
    }
}

fn of_term(instance: InstanceId, end: DateTime<Utc>, what: &str) -> Facts {
    Facts::of(format!("instance/{instance}/term/{}/{what}", end.timestamp_millis()))
        .at(format!("/instances/{instance}"))
}

impl EventData for ServerExpiring {
    fn facts(&self) -> Facts {
        of_term(self.instance_id, self.expires_at, self.notice.as_str()).told(NotificationKind::VpsExpiring)
    }

    fn example() -> Self {
        Self { instance_id: id(6), name: HOST.to_owned(), expires_at: moment(), notice: Notice::Remind3 }
    }
}

impl EventData for RenewalLacksMoney {
    fn facts(&self) -> Facts {
        of_term(self.instance_id, self.expires_at, Notice::LacksMoney.as_str())
            .told(NotificationKind::VpsExpiring)
    }

    fn example() -> Self {
        Self {
            instance_id: id(6),
            name: HOST.to_owned(),
            invoice_id: id(3),
            number: "INV/2026/000124".to_owned(),
            total: Rupiah::new(143_190),
            missing: Rupiah::new(43_190),
            expires_at: moment(),
        }
    }
}

impl EventData for ServerInGrace {
    fn facts(&self) -> Facts {
        of_term(self.instance_id, self.expired_at, Notice::Grace.as_str()).told(NotificationKind::VpsExpired)
    }

    fn example() -> Self {
        Self { instance_id: id(6), name: HOST.to_owned(), expired_at: moment(), suspends_at: Some(moment()) }
    }
}

impl EventData for ServerSuspended {
    fn facts(&self) -> Facts {
        of_term(self.instance_id, self.expired_at, Notice::Suspended.as_str())
            .told(NotificationKind::VpsSuspended)
    }

    fn example() -> Self {
        Self { instance_id: id(6), name: HOST.to_owned(), expired_at: moment(), deletes_at: Some(moment()) }
    }
}

impl EventData for ServerResumed {
    fn facts(&self) -> Facts {
        let Self { instance_id, suspended_at, .. } = self;
        Facts::of(format!("instance/{instance_id}/resumed/{}", suspended_at.timestamp_millis()))
            .told(NotificationKind::VpsResumed)
            .at(format!("/instances/{instance_id}"))
    }

    fn example() -> Self {
        Self { instance_id: id(6), name: HOST.to_owned(), suspended_at: moment() }
    }
}

impl EventData for ServerDeletionNear {
    fn facts(&self) -> Facts {
        of_term(self.instance_id, self.expired_at, self.notice.as_str()).told(NotificationKind::VpsSuspended)
    }

    fn example() -> Self {
        Self {
            instance_id: id(6),
            name: HOST.to_owned(),
            expired_at: moment(),
            notice: Notice::Termination,
            deletes_at: Some(moment()),
        }
    }
}

impl EventData for StepsHeldBack {
    fn facts(&self) -> Facts {
        Facts::of(format!("life/held_back/{}/{}", self.step, self.hour))
            .told(NotificationKind::StepsHeldBack)
            .at("/admin/life/held")
    }

    fn example() -> Self {
        Self { step: Held::Suspend, number: 412, hour: hour() }
    }
}

impl EventData for DatabasePutBack {
    fn facts(&self) -> Facts {
        Facts::of(format!("life/put_back/{}", self.hour))
            .told(NotificationKind::StepsHeldBack)
            .at("/admin/life/held")
    }

    fn example() -> Self {
        Self { instance_id: id(6), known: 12, found: 9, hour: hour() }
    }
}

//! Orders, as far along as a test needs them.

use domain::{
    billing::{Bank, PaymentMethod},
    failover::FailoverPolicy,
    hostname::Hostname,
    ids::{InstanceId, OrderId, SshKeyId, UserId},
    policy::OrderPolicy,
    promo::PromoCode,
    provisioning::FailureClass,
    user_data::UserData,
};
use store::{
    idempotency::Idempotency,
    orders::{NewOrder, OrderError, Placed, Selection},
    payments::Payment,
};

use crate::{GATEWAY, PLAN, TestApp, any_request};

/// An order as a test made it.
#[derive(Debug, Clone)]
pub struct Ordered {
    /// Its id.
    pub id: OrderId,
    /// Whose it is.
    pub customer: UserId,
    /// Its first payment, as it was when the order had come so far.
    pub payment: Payment,
    /// Its server's record, once it has one.
    pub server: Option<InstanceId>,
}

impl Ordered {
    /// Its server's record.
    ///
    /// # Panics
    /// When it has none yet.
    #[must_use]
    pub fn server(&self) -> InstanceId {
        self.server.expect("the order has no server yet")
    }
}

/// An order to be placed: of the smallest plan in Singapore for a month, to be paid by QRIS, by a new customer, where
/// nothing else is said.
#[derive(Debug, Clone)]
#[must_use = "nothing is ordered before it is placed"]
pub struct OrderBuilder<'a> {
    app: &'a TestApp,
    plan: String,
    region: String,
    image: String,
    term_months: u32,
    configured: Option<Vec<String>>,
    customer: Option<UserId>,
    hostname: String,
    ssh_key_ids: Vec<SshKeyId>,
    auto_renew: bool,
    policy: OrderPolicy,
    method: PaymentMethod,
    bank: Option<Bank>,
    gateway: &'static str,
    promo: Option<String>,
    user_data: Option<String>,
    request: Option<Idempotency>,
}

impl TestApp {
    /// An order to be placed.
    pub fn order(&self) -> OrderBuilder<'_> {
        OrderBuilder {
            app: self,
            plan: PLAN.to_owned(),
            region: "sgp1".to_owned(),
            image: "ubuntu-24-04".to_owned(),
            term_months: 1,
            configured: None,
            customer: None,
            hostname: "web-1".to_owned(),
            ssh_key_ids: Vec::new(),
            auto_renew: false,
            policy: OrderPolicy::default(),
            method: PaymentMethod::Qris,
            bank: None,
            gateway: GATEWAY,
            promo: None,
            user_data: None,
            request: None,
        }
    }
}

impl OrderBuilder<'_> {
    /// By this customer.
    pub fn by(mut self, customer: UserId) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Of the plan with this slug.
    pub fn plan(mut self, slug: impl Into<String>) -> Self {
        self.plan = slug.into();
        self
    }

    /// In the region with this slug.
    pub fn region(mut self, slug: impl Into<String>) -> Self {
        self.region = slug.into();
        self
    }

    /// With the image with this slug.
    pub fn image(mut self, slug: impl Into<String>) -> Self {
        self.image = slug.into();
        self
    }

    /// For so many months.
    pub fn months(mut self, months: u32) -> Self {
        self.term_months = months;
        self
    }

    /// Where only these providers are configured, by slug. Else all of the catalog are.
    pub fn configured(mut self, providers: &[&str]) -> Self {
        self.configured = Some(providers.iter().map(|&slug| slug.to_owned()).collect());
        self
    }

    /// With this host name.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// With these SSH keys of the customer's.
    pub fn ssh_keys(mut self, keys: &[SshKeyId]) -> Self {
        self.ssh_key_ids = keys.to_vec();
        self
    }

    /// Whose server's term is renewed by itself.
    pub fn auto_renew(mut self) -> Self {
        self.auto_renew = true;
        self
    }

    /// Under these rules.
    pub fn policy(mut self, policy: OrderPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// With this done when its provider is sold out.
    pub fn failover(mut self, failover: FailoverPolicy) -> Self {
        self.policy.failover = failover;
        self
    }

    /// To be paid in this way.
    pub fn paid_by(mut self, method: PaymentMethod) -> Self {
        self.method = method;
        self
    }

    /// To be paid into a virtual account of this bank.
    pub fn paid_to(mut self, bank: Bank) -> Self {
        self.bank = Some(bank);
        self.paid_by(PaymentMethod::VirtualAccount)
    }

    /// Through this gateway, if through one.
    pub fn through(mut self, gateway: &'static str) -> Self {
        self.gateway = gateway;
        self
    }

    /// With this promo code.
    pub fn promo(mut self, code: impl Into<String>) -> Self {
        self.promo = Some(code.into());
        self
    }

    /// With this promo code, if there is one.
    pub fn maybe_promo(mut self, code: Option<&str>) -> Self {
        self.promo = code.map(str::to_owned);
        self
    }

    /// Whose server is told this at its first boot.
    pub fn user_data(mut self, text: impl Into<String>) -> Self {
        self.user_data = Some(text.into());
        self
    }

    /// By this request. Else by one like no other.
    pub fn request(mut self, request: Idempotency) -> Self {
        self.request = Some(request);
        self
    }

    /// The order as the store takes it.
    pub async fn build(&self) -> NewOrder {
        let user = match self.customer {
            Some(customer) => customer,
            None => self.app.customer().await,
        };
        let configured = match &self.configured {
            Some(providers) => providers.clone(),
            None => self.app.providers().await,
        };
        let at_gateway = matches!(self.method, PaymentMethod::Qris | PaymentMethod::VirtualAccount);
        NewOrder {
            user,
            selection: Selection {
                plan_id: self.app.plan(&self.plan).await,
                region: self.region.clone(),
                image: self.image.clone(),
                term_months: self.term_months,
                configured,
            },
            hostname: Hostname::parse(&self.hostname).expect("a host name"),
            ssh_key_ids: self.ssh_key_ids.clone(),
            auto_renew: self.auto_renew,
            policy: self.policy,
            method: self.method,
            bank: self.bank,
            gateway: at_gateway.then_some(self.gateway),
            promo: self.promo.as_deref().map(|code| PromoCode::parse(code).expect("a promo code")),
            user_data: self.user_data.clone().map(UserData::from),
        }
    }

    /// Places it, if it can be.
    ///
    /// # Errors
    /// As [`store::Store::place_order`].
    pub async fn try_place(self) -> Result<Placed, OrderError> {
        let new = self.build().await;
        let request = self.request.unwrap_or_else(any_request);
        self.app.store.place_order(&new, &request).await
    }

    /// Places it.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn place(self) -> Ordered {
        let app = self.app;
        let placed = self.try_place().await.expect("an order");
        app.ordered(placed.order_id).await
    }

    /// Places it, and pays it. What is paid from the balance is deposited before.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn paid(mut self) -> Ordered {
        let app = self.app;
        if self.method == PaymentMethod::Wallet {
            let customer = match self.customer {
                Some(customer) => customer,
                None => app.customer().await,
            };
            self = self.by(customer);
            let new = self.build().await;
            let offer = app.store.quote_order(&new.selection).await.expect("an offer");
            app.deposit(customer, offer.quote.total).await;
            return self.place().await;
        }
        let placed = self.place().await;
        app.pay(placed.payment.id).await;
        app.ordered(placed.id).await
    }

    /// The same, and begins to provision it.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn provisioning(self) -> Ordered {
        let app = self.app;
        let paid = self.paid().await;
        app.provision(paid.id).await;
        app.ordered(paid.id).await
    }

    /// The same, and gives it a running server.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn active(self) -> Ordered {
        let app = self.app;
        let paid = self.paid().await;
        app.activate(paid.id).await;
        app.ordered(paid.id).await
    }

    /// The same, and fails to provision it.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn failed(self, class: FailureClass) -> Ordered {
        let app = self.app;
        let paid = self.paid().await;
        app.fail(paid.id, class).await;
        app.ordered(paid.id).await
    }

    /// Places it, and lets its time to pay run out.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn expired(self) -> Ordered {
        let app = self.app;
        let placed = self.place().await;
        app.store.expire_order(placed.id).await.expect("an order that waits");
        app.ordered(placed.id).await
    }

    /// Places it, and its customer calls it off.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn cancelled(self) -> Ordered {
        let app = self.app;
        let placed = self.place().await;
        app.store.cancel_order(placed.id, placed.customer).await.expect("an order that waits");
        app.ordered(placed.id).await
    }
}

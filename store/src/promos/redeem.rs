//! Every use of a code, from the moment it is taken until it counts for ever or no more.

use domain::{
    ids::{DepositId, OrderId, PromoId, RedemptionId, UserId},
    money::Rupiah,
    order::Transition,
    promo::{PromoCode, PromoRefusal, Purpose, RedemptionState},
};
use sqlx::PgConnection;

use super::{PromoUse, find, find_to_use, release_lapsed};
use crate::{Result, StoreError, new_id};

/// What a deposit's code comes to when the deposit is paid.
#[derive(Debug, Clone)]
pub(crate) struct Bonus {
    /// The code.
    pub code: String,
    /// What was promised.
    pub amount: Rupiah,
    /// False when the money came so late that the code was used up or switched off by then.
    pub is_due: bool,
}

/// What uses a code.
#[derive(Debug, Clone, Copy)]
enum User {
    Order(OrderId),
    Deposit(DepositId),
}

impl User {
    /// The columns that name it, of which one is null.
    const fn columns(self) -> (Option<uuid::Uuid>, Option<uuid::Uuid>) {
        match self {
            Self::Order(order) => (Some(order.0), None),
            Self::Deposit(deposit) => (None, Some(deposit.0)),
        }
    }
}

/// One use, with its code's row locked.
struct Redemption {
    id: RedemptionId,
    promo_id: PromoId,
    code: String,
    user_id: UserId,
    amount: Rupiah,
    state: RedemptionState,
}

/// Takes a code for a deposit that was just written; fails with [`StoreError::Promo`] when it does not apply.
pub(crate) async fn reserve_for_deposit(
    tx: &mut PgConnection,
    user: UserId,
    deposit: DepositId,
    amount: Rupiah,
    code: &PromoCode,
) -> Result<()> {
    let wanted = PromoUse { user, code: code.clone() };
    let found = find_to_use(tx, &wanted).await?.ok_or(PromoRefusal::Unknown)?;
    let bonus = found.decide(Purpose::Deposit, amount)??;
    reserve(tx, user, User::Deposit(deposit), found.id, bonus).await
}

/// Takes a code for an order that was just written, in whose price it is. The code is locked by the caller
/// ([`find_to_use`]).
pub(crate) async fn reserve_for_order(
    tx: &mut PgConnection,
    customer: UserId,
    order: OrderId,
    promo: PromoId,
    amount: Rupiah,
) -> Result<()> {
    reserve(tx, customer, User::Order(order), promo, amount).await
}

async fn reserve(
    tx: &mut PgConnection,
    customer: UserId,
    user: User,
    promo: PromoId,
    amount: Rupiah,
) -> Result<()> {
    let (order, deposit) = user.columns();
    sqlx::query!(
        "INSERT INTO promo_redemptions (id, promo_id, user_id, order_id, deposit_id, amount, state)
         VALUES ($1, $2, $3, $4, $5, $6, 'RESERVED')",
        new_id::<RedemptionId>().0,
        promo.0,
        customer.0,
        order,
        deposit,
        amount.get(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Lets the use of an order's code follow the order: it is final when the order runs, and free again when it never
/// will. The order is locked by the caller, and no ledger account is yet.
pub(crate) async fn follow_order(tx: &mut PgConnection, order: OrderId, moved: Transition) -> Result<()> {
    match moved {
        Transition::Expire | Transition::Cancel | Transition::Refund => release(tx, User::Order(order)).await,
        Transition::Activate | Transition::Attach => {
            sqlx::query!(
                "UPDATE promo_redemptions SET state = 'REDEEMED', updated_at = now()
                 WHERE order_id = $1 AND state = 'RESERVED'",
                order.0,
            )
            .execute(tx)
            .await?;
            Ok(())
        }
        // What a late payment revives takes its code again before the money is booked: `take_again`.
        Transition::Pay
        | Transition::StartProvisioning
        | Transition::FailProvisioning
        | Transition::RetryProvisioning => Ok(()),
    }
}

/// An expired order comes back: its code counts again if the limits allow, else its price is honoured. The order is
/// locked by the caller, and no ledger account is yet.
pub(crate) async fn take_again(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    let Some(use_of_code) = lock(tx, User::Order(order)).await? else { return Ok(()) };
    if use_of_code.state != RedemptionState::Released {
        return Ok(());
    }
    let has_room = use_of_code.can_be_taken_again(tx, false).await?;
    let state = if has_room { RedemptionState::Reserved } else { RedemptionState::Honoured };
    use_of_code.put(tx, state).await
}

/// A deposit is paid: settles what its code comes to. The caller credits what is due. Deposit and payment are locked by
/// the caller, and no ledger account is yet.
pub(crate) async fn bonus_of(tx: &mut PgConnection, deposit: DepositId) -> Result<Option<Bonus>> {
    let Some(use_of_code) = lock(tx, User::Deposit(deposit)).await? else { return Ok(None) };
    let is_due = match use_of_code.state {
        RedemptionState::Reserved => true,
        RedemptionState::Released => use_of_code.can_be_taken_again(tx, true).await?,
        RedemptionState::Redeemed | RedemptionState::Honoured => return Ok(None),
    };
    if is_due {
        use_of_code.put(tx, RedemptionState::Redeemed).await?;
    }
    Ok(Some(Bonus { code: use_of_code.code, amount: use_of_code.amount, is_due }))
}

/// A deposit's payment ended without money: its code is free again.
pub(crate) async fn release_deposit(tx: &mut PgConnection, deposit: DepositId) -> Result<()> {
    release(tx, User::Deposit(deposit)).await
}

async fn release(tx: &mut PgConnection, user: User) -> Result<()> {
    let Some(use_of_code) = lock(tx, user).await? else { return Ok(()) };
    if use_of_code.state.may_become(RedemptionState::Released) {
        use_of_code.put(tx, RedemptionState::Released).await?;
    }
    Ok(())
}

/// Locks the code that an order or deposit uses, and reads the use. Two statements: the second one sees what whoever
/// held the lock before has committed.
async fn lock(tx: &mut PgConnection, user: User) -> Result<Option<Redemption>> {
    let (order, deposit) = user.columns();
    let locked = sqlx::query_scalar!(
        r#"SELECT p.id AS "id: PromoId" FROM promo_redemptions r JOIN promos p ON p.id = r.promo_id
           WHERE r.order_id = $1 OR r.deposit_id = $2 FOR NO KEY UPDATE OF p"#,
        order,
        deposit,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if locked.is_none() {
        return Ok(None);
    }
    Ok(sqlx::query_as!(
        Redemption,
        r#"SELECT r.id AS "id: RedemptionId", r.promo_id AS "promo_id: PromoId", p.code,
                  r.user_id AS "user_id: UserId", r.amount AS "amount: Rupiah", r.state AS "state: RedemptionState"
           FROM promo_redemptions r JOIN promos p ON p.id = r.promo_id
           WHERE r.order_id = $1 OR r.deposit_id = $2"#,
        order,
        deposit,
    )
    .fetch_optional(tx)
    .await?)
}

impl Redemption {
    /// Whether a use that was let go fits within the limits once more.
    async fn can_be_taken_again(&self, tx: &mut PgConnection, only_active: bool) -> Result<bool> {
        release_lapsed(tx, self.promo_id).await?;
        let found = find(tx, &self.code, self.user_id).await?.ok_or(StoreError::NotFound("promo"))?;
        Ok(found.promo.has_room(found.uses).is_ok() && (found.promo.is_active || !only_active))
    }

    async fn put(&self, tx: &mut PgConnection, state: RedemptionState) -> Result<()> {
        sqlx::query!(
            "UPDATE promo_redemptions SET state = $2, updated_at = now() WHERE id = $1",
            self.id.0,
            state.as_str(),
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

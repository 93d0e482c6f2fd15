//! `webrana bench api`: what customers' programs and browsers ask most, by many connections at once, beside what the same server,
//! client and database do where there is nothing else to do.

mod figures;
mod floors;
mod load;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde_json::json;
use url::Url;

use self::{
    figures::{Figures, Measured},
    floors::Floors,
    load::{Asked, Load, Request},
};
use super::{
    load::closed_loop,
    stack::{self, StackArguments},
};
use crate::{
    demo::customer::Customer,
    local::{LocalStack, Parts},
    progress::Progress,
};

/// Accounts that ask.
const CUSTOMERS: usize = 20;
/// Orders of each: as many as a page of the list has, and a notification for each.
const ORDERS_EACH: usize = 20;
/// Before anything is measured: connections, caches, plans of statements.
const WARM_UP: Duration = Duration::from_secs(2);

/// What is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many connections ask at once; each asks again when it is answered
    #[arg(long, value_name = "N", default_value_t = 1_000, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,

    /// For how long each kind of request is sent
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// How many log in at once: passwords are hashed as slowly as they have to be
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Bench",
          value_parser = clap::value_parser!(u32).range(1..))]
    logins: u32,

    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Bench")]
    json: bool,

    /// Where the bench's stack runs.
    #[command(flatten)]
    stack: StackArguments,
}

/// Starts a stack, measures, prints, and leaves nothing behind.
///
/// # Errors
/// When the stack cannot start, and when nothing is answered at all.
pub async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { connections, seconds, logins, json, stack } = arguments;
    let wanted = Wanted {
        connections: connections as usize,
        logins: logins as usize,
        lasting: Duration::from_secs(seconds.into()),
    };
    let measured = stack::run(stack, Parts::AllButProviders, 0.0, async |stack, progress| {
        measure(stack, wanted, progress).await
    });
    let figures = Figures::from(measured.await?);
    if json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        println!("{figures}");
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    connections: usize,
    logins: usize,
    lasting: Duration,
}

async fn measure(stack: &LocalStack, wanted: Wanted, progress: &Progress) -> Result<Measured> {
    let setting = |key: &str| stack.env().get(key).with_context(|| format!("the stack has no {key}"));
    let api = Url::parse(setting("API_URL")?)?;
    progress.say(format!("{CUSTOMERS} customers place {ORDERS_EACH} orders each"));
    let customers = closed_loop(CUSTOMERS, 4, |_| customer(&api)).await?.outcomes;
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
    let catalog = vec![Request::get(api.join("/api/v1/plans")?)];
    let each = |path: &str| -> Result<Vec<Request>> {
        let url = api.join(path)?;
        Ok(customers.iter().map(|customer| Request::get(url.clone()).by(&customer.access_token)).collect())
    };
    let (orders, notifications) = (each("/api/v1/orders")?, each("/api/v1/notifications")?);
    let log_in = api.join("/api/v1/auth/login")?;
    let logins: Vec<Request> = customers
        .iter()
        .map(|customer| {
            Request::post(log_in.clone(), json!({ "email": customer.email, "password": customer.password }))
        })
        .collect();
    let floors = Floors::start(
        setting("DATABASE_URL")?,
        size_of_answer(&http, &catalog).await?,
        size_of_answer(&http, &orders).await?,
    )
    .await?;
    let (bare, row) = (vec![Request::get(floors.bare()?)], vec![Request::get(floors.row()?)]);

    let load = Load::new(http, wanted.connections);
    progress.say("warming up");
    for requests in [&bare, &row, &catalog, &orders, &notifications] {
        load.ask(requests, WARM_UP).await?;
    }
    let ask = async |what: &str, requests: &[Request]| -> Result<Asked> {
        progress.say(format!("{what}, {} connections", wanted.connections));
        load.ask(requests, wanted.lasting).await
    };
    // Each beside its floor, so that neither has the younger stack.
    let measured = Measured {
        connections: wanted.connections,
        logins: wanted.logins,
        bare: ask("a bare route", &bare).await?,
        catalog: ask("GET /plans", &catalog).await?,
        row: ask("a bare query of one row", &row).await?,
        orders: ask("GET /orders", &orders).await?,
        notifications: ask("GET /notifications", &notifications).await?,
        login: {
            progress.say(format!("POST /auth/login, {} connections", wanted.logins));
            load.of(wanted.logins).ask(&logins, wanted.lasting).await?
        },
        memory_mb: super::instances::peak_memory_mb(),
    };
    floors.stop();
    Ok(measured)
}

/// A customer with a page of orders.
async fn customer(api: &Url) -> Result<Customer> {
    let customer = Customer::register(api).await?;
    let choice = customer.choose().await?;
    for _ in 0..ORDERS_EACH {
        customer.order(&choice).await?;
    }
    Ok(customer)
}

/// How many bytes an answer has: a floor that sends less would be no floor.
async fn size_of_answer(http: &Client, requests: &[Request]) -> Result<usize> {
    let first = requests.first().context("there is nothing to ask")?;
    let answer = first.send(http).await?.error_for_status()?.bytes().await?;
    ensure!(!answer.is_empty(), "an answer is empty");
    Ok(answer.len())
}

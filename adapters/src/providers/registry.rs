//! Providers by slug.

use std::{collections::BTreeMap, sync::Arc};

use super::CloudProvider;

/// A slug no provider is set up for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no provider `{slug}` is set up here")]
pub struct UnknownProvider {
    /// The slug.
    pub slug: String,
}

/// The providers that are set up, by the catalog's slug: each for the system's own work and for what customers wait
/// for, which differ in the turn their calls get.
#[derive(Debug, Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Access>);

/// One provider's account.
#[derive(Debug, Clone)]
struct Access {
    orders: Arc<dyn CloudProvider>,
    customers: Arc<dyn CloudProvider>,
}

impl Registry {
    /// A registry of these, for whoever calls; of two with one slug the later counts.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn CloudProvider>>) -> Self {
        let mut registry = Self::default();
        for provider in providers {
            registry.add(Arc::clone(&provider), provider);
        }
        registry
    }

    /// Adds a provider: as the system's own work calls it, and as customers' actions do.
    pub fn add(&mut self, orders: Arc<dyn CloudProvider>, customers: Arc<dyn CloudProvider>) {
        self.0.insert(orders.slug(), Access { orders, customers });
    }

    /// The same without the providers that `wanted` does not name.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|slug, _| wanted(slug));
        self
    }

    /// The provider of a slug, for the system's own work.
    ///
    /// # Errors
    /// [`UnknownProvider`] when none is set up.
    pub fn get(&self, slug: &str) -> Result<Arc<dyn CloudProvider>, UnknownProvider> {
        self.access(slug).map(|access| Arc::clone(&access.orders))
    }

    /// The provider of a slug, for a call that a customer waits for.
    ///
    /// # Errors
    /// [`UnknownProvider`] when none is set up.
    pub fn for_customers(&self, slug: &str) -> Result<Arc<dyn CloudProvider>, UnknownProvider> {
        self.access(slug).map(|access| Arc::clone(&access.customers))
    }

    fn access(&self, slug: &str) -> Result<&Access, UnknownProvider> {
        self.0.get(slug).ok_or_else(|| UnknownProvider { slug: slug.to_owned() })
    }

    /// The slugs there are, in alphabetical order.
    pub fn slugs(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

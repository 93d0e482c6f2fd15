//! Providers by slug.

use std::{collections::BTreeMap, sync::Arc};

use domain::{instance::Capability, rate_limit::Caller};

use super::CloudProvider;

/// A slug no provider is set up for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no provider `{slug}` is set up here")]
pub struct UnknownProvider {
    /// The slug.
    pub slug: String,
}

/// The providers that are set up, by the catalog's slug. None is given out without saying who calls, which decides the
/// turn and the share that the calls get.
#[derive(Debug, Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn CloudProvider>>);

impl Registry {
    /// A registry of these; of two with one slug the later counts.
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn CloudProvider>>) -> Self {
        Self(providers.into_iter().map(|provider| (provider.slug(), provider)).collect())
    }

    /// Adds a provider.
    pub fn add(&mut self, provider: Arc<dyn CloudProvider>) {
        self.0.insert(provider.slug(), provider);
    }

    /// The same without the providers that `wanted` does not name.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|slug, _| wanted(slug));
        self
    }

    /// The provider of a slug, for calls of this caller.
    ///
    /// # Errors
    /// [`UnknownProvider`] when none is set up.
    pub fn get(&self, slug: &str, caller: Caller) -> Result<Arc<dyn CloudProvider>, UnknownProvider> {
        self.known(slug).map(|provider| provider.called_by(caller))
    }

    /// What the provider of a slug can do for a server. Nobody is called.
    ///
    /// # Errors
    /// [`UnknownProvider`] when none is set up.
    pub fn capabilities(&self, slug: &str) -> Result<&'static [Capability], UnknownProvider> {
        self.known(slug).map(|provider| provider.capabilities())
    }

    /// Why a provider lacks a capability, for customers to read.
    ///
    /// # Errors
    /// [`UnknownProvider`] when none is set up.
    pub fn why_not(&self, slug: &str, capability: Capability) -> Result<&'static str, UnknownProvider> {
        self.known(slug).map(|provider| provider.why_not(capability))
    }

    fn known(&self, slug: &str) -> Result<&Arc<dyn CloudProvider>, UnknownProvider> {
        self.0.get(slug).ok_or_else(|| UnknownProvider { slug: slug.to_owned() })
    }

    /// The slugs there are, in alphabetical order.
    pub fn slugs(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

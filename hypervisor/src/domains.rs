//! All domains, by number.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hw::sync::SpinLock;
use spin::Once;
use vocabulary::DomainId;

use crate::domain::Domain;
use crate::levels;

static DOMAINS: SpinLock<Vec<Arc<Domain>>, { levels::DOMAINS }> = SpinLock::new(Vec::new());
/// The first domain, which never ends: found without the list's lock.
static FIRST: Once<Arc<Domain>> = Once::new();

/// Makes a domain known.
pub fn insert(domain: Arc<Domain>) {
    if domain.id == DomainId(0) {
        FIRST.call_once(|| Arc::clone(&domain));
    }
    DOMAINS.lock().push(domain);
}

/// The domain of a number.
pub fn find(id: DomainId) -> Option<Arc<Domain>> {
    if id == DomainId(0) {
        return FIRST.get().cloned();
    }
    DOMAINS
        .lock()
        .iter()
        .find(|domain| domain.id == id)
        .cloned()
}

/// The first domain, once it exists.
pub fn first() -> Option<&'static Arc<Domain>> {
    FIRST.get()
}

/// Runs `work` on the domain of a number, if there is one.
pub fn with<R>(id: DomainId, work: impl FnOnce(&Domain) -> R) -> Option<R> {
    if id == DomainId(0) {
        return FIRST.get().map(|domain| work(domain));
    }
    find(id).map(|domain| work(&domain))
}

/// Runs `work` on every domain there is.
pub fn for_each(mut work: impl FnMut(&Arc<Domain>)) {
    let all = DOMAINS.lock().clone();
    for domain in &all {
        work(domain);
    }
}

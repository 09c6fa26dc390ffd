//! Panics on request, in a library that was built for tests with the feature `failpoints`.
//!
//! `SHIELD_FAILPOINT=shield_sign` makes that call panic at its beginning, `inside:shield_sign` after its arguments were read,
//! `*` every call. Without the feature nothing of this is compiled, and the environment is not read.

#[cfg(feature = "failpoints")]
fn wanted() -> String {
    std::env::var("SHIELD_FAILPOINT").unwrap_or_default()
}

#[cfg(feature = "failpoints")]
pub(crate) fn hit(name: &str) {
    let wanted = wanted();
    assert!(wanted != name && wanted != "*", "failpoint");
}

#[cfg(feature = "failpoints")]
pub(crate) fn hit_inside(name: &str) {
    assert!(wanted().strip_prefix("inside:") != Some(name), "failpoint");
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn hit(_name: &str) {}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn hit_inside(_name: &str) {}

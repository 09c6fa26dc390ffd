//! The tests' own tools: a story runs in its own process with its own tokens, and fails where its body fails.
#![cfg(feature = "pkcs11")]

#[path = "support/softhsm.rs"]
mod softhsm;

#[test]
fn a_story_has_tokens_of_its_own() {
    softhsm::story("a_story_has_tokens_of_its_own", |hsm| {
        hsm.host(|host| {
            let slot = host.token("mine", "123456");
            let session = host.login(slot, "123456");
            let key = host.p256(&session, &[1], "key", &[]);
            let certificate = softhsm::issue("CN=Test CA", "CN=Somebody", &key.spki, vec![]);
            host.certificate(&session, &certificate, &[1], "certificate");
            let parsed = shared_shield::Certificate::from_der(&certificate).unwrap();
            assert_eq!(parsed.key().unwrap().spki(), key.spki);
            let rsa = host.rsa(&session, 1024, &[2], "rsa", &[]);
            let certificate = softhsm::issue("CN=Test CA", "CN=Somebody", &rsa.spki, vec![]);
            let parsed = shared_shield::Certificate::from_der(&certificate).unwrap();
            assert_eq!(parsed.key().unwrap().kind(), shared_shield::suite::KeyKind::Rsa { bits: 1024 });
            assert_eq!(host.p11.get_slots_with_initialized_token().unwrap().len(), 1);
        });
        assert!(hsm.dir().join("softhsm2.conf").exists());
    });
}

#[test]
#[should_panic(expected = "a_story_that_fails_is_seen_to_fail failed in its own process")]
fn a_story_that_fails_is_seen_to_fail() {
    // In the child the panic below is the expected one of another text, so the child fails, and so does the parent.
    softhsm::story("a_story_that_fails_is_seen_to_fail", |_| panic!("on purpose"));
}

#[test]
#[should_panic(expected = "failed in its own process")]
fn a_story_with_a_wrong_name_does_not_pass_as_empty() {
    softhsm::story("a_name_that_no_test_has", |_| ());
}

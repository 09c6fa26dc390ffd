use sm2::dsa::SigningKey;
use sm2::dsa::signature::hazmat::PrehashSigner;

use super::*;
use crate::suite::SM2_DEFAULT_ID;

/// GB/T 32918.5-2017 §2: n.
const ORDER: [u8; 32] = *b"\
\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x72\x03\xdf\x6b\x21\xc6\x05\x2b\x53\xbb\xf4\x09\x39\xd5\x41\x23";

fn mechanism(input: Sm2Input, output: Sm2Output) -> Sm2Mechanism {
    Sm2Mechanism { number: 0x8000_8105, input, output }
}

fn key() -> (SigningKey, PublicKey) {
    use spki::EncodePublicKey;
    let key = sm2::SecretKey::from_slice(&[7; 32]).unwrap();
    let spki = key.public_key().to_public_key_der().unwrap();
    (SigningKey::new(SM2_DEFAULT_ID, &key).unwrap(), PublicKey::from_spki(spki.as_bytes()).unwrap())
}

/// DER with integers exactly as given.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |value: &[u8]| [&[2, u8::try_from(value.len()).unwrap()], value].concat();
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

#[test]
fn the_finished_e_goes_before_a_message_and_without_a_message_nothing_is_hashed_elsewhere() {
    let table = Sm2Table::default();
    let (_, public) = key();
    let mut tbs = ToBeSigned::over(Suite::Sm2Sm3, &public, b"order 4711").unwrap();
    tbs.message = None;
    let chosen = |offered: &[Sm2Mechanism], tbs: &ToBeSigned| choose(offered, &table, tbs).map(|m| m.input);
    let [e, message, z] =
        [Sm2Input::Digest, Sm2Input::Message, Sm2Input::ZMessage].map(|input| mechanism(input, Sm2Output::Raw));
    assert_eq!(chosen(&[message, e], &tbs).unwrap(), Sm2Input::Digest);
    for (offered, words) in
        [(&[][..], "offers none of the SM2 mechanisms of set C"), (&[message, z], "its digest alone is at hand")]
    {
        let refused = chosen(offered, &tbs).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::KeyUnsuited);
        assert!(refused.to_string().contains(words), "{refused}");
    }
    tbs.message = Some(b"order 4711".as_slice().into());
    assert_eq!(chosen(&[message, e], &tbs).unwrap(), Sm2Input::Digest);
    assert_eq!(chosen(&[z, message], &tbs).unwrap(), Sm2Input::ZMessage);
    // Another identifier is not the module's.
    tbs.sm2_id = Some(Sm2Id::new("ALICE123@YAHOO.COM").unwrap());
    assert_eq!(chosen(&[message, z], &tbs).unwrap(), Sm2Input::ZMessage);
    let refused = chosen(&[message], &tbs).unwrap_err();
    assert!(refused.to_string().contains("default identifier alone"), "{refused}");
    // Whoever gave e did not say which identifier is in it.
    tbs.sm2_id = None;
    assert_eq!(chosen(&[message, z, e], &tbs).unwrap(), Sm2Input::Digest);
    chosen(&[message, z], &tbs).unwrap_err();
}

#[test]
fn each_mechanism_is_given_what_its_row_says() {
    let (_, public) = key();
    let mut tbs = ToBeSigned::over(Suite::Sm2Sm3, &public, b"order 4711").unwrap();
    tbs.message = Some(b"order 4711".as_slice().into());
    let given = |kind| input(mechanism(kind, Sm2Output::Raw), &public, &tbs).unwrap();
    assert_eq!(given(Sm2Input::Digest), tbs.digest.octets());
    assert_eq!(given(Sm2Input::Message), b"order 4711");
    tbs = ToBeSigned::over_with(Suite::Sm2Sm3, &public, &Sm2Id::new("ALICE123@YAHOO.COM").unwrap(), b"order 4711")
        .unwrap();
    tbs.message = Some(b"order 4711".as_slice().into());
    let given = |kind| input(mechanism(kind, Sm2Output::Raw), &public, &tbs).unwrap();
    let hashed = crate::suite::DigestAlgorithm::Sm3.of(&given(Sm2Input::ZMessage)).unwrap();
    assert_eq!(hashed, tbs.digest, "whoever hashes Z and the message gets e");
}

#[test]
fn a_signature_is_read_in_the_form_that_the_table_states_and_in_no_other() {
    let (signer, public) = key();
    let tbs = ToBeSigned::over(Suite::Sm2Sm3, &public, b"order 4711").unwrap();
    let made: sm2::dsa::Signature = signer.sign_prehash(tbs.digest.octets()).unwrap();
    let raw = made.to_bytes().to_vec();
    let der = RawSignature::new(Suite::Sm2Sm3, raw.clone()).unwrap().to_wire().unwrap();
    let read = |form, octets: &[u8]| output(mechanism(Sm2Input::Digest, form), octets);
    for (form, octets) in [(Sm2Output::Raw, &raw), (Sm2Output::Der, &der)] {
        let signature = read(form, octets).unwrap();
        assert_eq!(signature.octets(), raw);
        public.verify(&tbs, &signature).unwrap();
    }
    let longer = |octets: &[u8]| [octets, &[0]].concat();
    for (form, octets, words) in [
        (Sm2Output::Raw, der.clone(), "DER where the table says r and s"),
        (Sm2Output::Der, raw.clone(), "r and s where the table says DER"),
        (Sm2Output::Raw, longer(&raw), "no signature"),
        (Sm2Output::Raw, raw[1..].to_vec(), "no signature"),
        (Sm2Output::Der, longer(&der), "no signature"),
        (Sm2Output::Der, der[..der.len() - 1].to_vec(), "no signature"),
        (Sm2Output::Der, Vec::new(), "no signature"),
    ] {
        let refused = read(form, &octets).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::SignatureMalformed);
        assert!(refused.to_string().contains(words), "{refused}");
        assert!(
            refused.to_string().contains("0x80008105") && refused.to_string().contains("[[pkcs11.sm2]]"),
            "{refused}"
        );
    }
}

#[test]
fn r_and_s_are_from_one_to_the_order_less_one() {
    let mut last = ORDER;
    last[31] -= 1;
    let mut one = [0; 32];
    one[31] = 1;
    for (r, s, fits) in [
        (one, last, true),
        (last, one, true),
        ([0; 32], one, false),
        (one, [0; 32], false),
        (ORDER, one, false),
        (one, ORDER, false),
        ([0xff; 32], one, false),
    ] {
        let raw = output(mechanism(Sm2Input::Digest, Sm2Output::Raw), &[r, s].concat());
        let wrapped = output(mechanism(Sm2Input::Digest, Sm2Output::Der), &der(&r, &s));
        for read in [raw, wrapped] {
            assert_eq!(read.as_ref().map_err(Error::kind).err(), (!fits).then_some(ErrorKind::SignatureMalformed));
            let words = |e: Error| ["is zero", "below the order"].iter().any(|w| e.to_string().contains(w));
            assert!(fits || read.is_err_and(words));
        }
    }
}

#[test]
fn integers_without_their_zero_octet_or_with_too_many_are_the_numbers_that_they_mean() {
    let read = |r: &[u8], s: &[u8]| output(mechanism(Sm2Input::Digest, Sm2Output::Der), &der(r, s));
    let octets = |r: &[u8], s: &[u8]| read(r, s).unwrap().octets().to_vec();
    let padded = |value: &[u8]| [&vec![0; 32 - value.len()], value].concat();
    let high = [0xec; 31];
    let expected = [padded(&high), padded(&[5])].concat();
    for (r, s) in [
        (high.to_vec(), vec![5]),
        ([&[0], &high[..]].concat(), vec![0, 5]),
        ([&[0, 0, 0], &high[..]].concat(), vec![0, 0, 0, 0, 5]),
    ] {
        assert_eq!(octets(&r, &s), expected);
    }
    // 33 octets that mean something, an empty integer, a second octet of length.
    for (r, s) in [(&[1; 33][..], &[5][..]), (&[], &[5]), (&[5], &[])] {
        assert_eq!(read(r, s).unwrap_err().kind(), ErrorKind::SignatureMalformed, "{r:?} {s:?}");
    }
    for odd in
        [&[0x30, 0x81, 6, 2, 1, 5, 2, 1, 5][..], &[0x30, 0x80, 2, 1, 5, 2, 1, 5, 0, 0], &[0x30, 6, 2, 1, 5, 3, 1, 5]]
    {
        assert_eq!(from_der(odd), None);
    }
}

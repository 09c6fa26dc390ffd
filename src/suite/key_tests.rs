use super::*;

/// GB/T 32918.5-2017 annex A.2: the key, its Z, and the signature over "message digest" with the default identifier.
#[cfg(feature = "sm")]
mod sample {
    pub(super) const X: &str = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020";
    pub(super) const Y: &str = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";
    pub(super) const Z: &str = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3";
    pub(super) const E: &str = "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640";
    pub(super) const R: &str = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3";
    pub(super) const S: &str = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA";
}

fn unhex(parts: &[&str]) -> Vec<u8> {
    let digits: Vec<u8> = parts.concat().chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

#[cfg(feature = "sm")]
fn sample_key() -> PublicKey {
    // SubjectPublicKeyInfo: id-ecPublicKey with the curve 1.2.156.10197.1.301.
    let head = "3059301306072A8648CE3D020106082A811CCF5501822D03420004";
    PublicKey::from_spki(&unhex(&[head, sample::X, sample::Y])).unwrap()
}

#[cfg(feature = "sm")]
#[test]
fn the_sample_of_gb_t_32918_5_gives_its_z_its_e_and_verifies() {
    let key = sample_key();
    assert_eq!(key.z(super::super::SM2_DEFAULT_ID).unwrap().hex(), sample::Z);
    let tbs = ToBeSigned::over(Suite::Sm2Sm3, &key, b"message digest").unwrap();
    assert_eq!(tbs.digest.hex(), sample::E);
    assert_eq!(tbs.sm2_id, Some(Sm2Id::default()));
    let octets = unhex(&[sample::R, sample::S]);
    let signature = RawSignature::new(Suite::Sm2Sm3, octets.clone()).unwrap();
    key.verify(&tbs, &signature).unwrap();
    let again = RawSignature::from_wire(Suite::Sm2Sm3, &signature.to_wire().unwrap()).unwrap();
    assert_eq!(again, signature);
    // One octet changed anywhere is another signature, and so is another message or another identifier.
    for place in 0..octets.len() {
        let mut changed = octets.clone();
        changed[place] ^= 1;
        let wrong = RawSignature::new(Suite::Sm2Sm3, changed).and_then(|s| key.verify(&tbs, &s));
        assert!(wrong.is_err(), "octet {place}");
    }
    let alice = Sm2Id::new("ALICE123@YAHOO.COM").unwrap();
    for (id, message) in [(Sm2Id::default(), &b"message digesu"[..]), (alice, b"message digest")] {
        let other = ToBeSigned::over_with(Suite::Sm2Sm3, &key, &id, message).unwrap();
        assert_eq!(key.verify(&other, &signature).unwrap_err().kind(), ErrorKind::SignatureWrong);
    }
    // A P-256 key has no Z, and takes no notice of an identifier.
    let p256 = Suite::P256Sha256;
    assert_eq!(key.hasher(p256).err().unwrap().kind(), ErrorKind::KeyUnsuited);
}

#[test]
fn r_and_s_out_of_range_are_refused_in_both_forms() {
    let zero = [0; 32];
    let mut one = [0; 32];
    one[31] = 1;
    for (suite, order) in [(Suite::P256Sha256, P256_ORDER), (Suite::Sm2Sm3, SM2_ORDER)] {
        let mut below = order;
        below[31] -= 1;
        let wrong = [
            (zero, one, "r is zero"),
            (one, zero, "s is zero"),
            (order, one, "r is not below"),
            (one, order, "s is not below"),
            ([0xFF; 32], one, "r is not below"),
        ];
        for (r, s, words) in wrong {
            let der = der::Encode::to_der(&SignatureValue {
                r: der::asn1::UintRef::new(&r).unwrap(),
                s: der::asn1::UintRef::new(&s).unwrap(),
            });
            let both = [RawSignature::new(suite, [r, s].concat()), RawSignature::from_wire(suite, &der.unwrap())];
            for refused in both {
                let error = refused.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::SignatureMalformed);
                assert!(error.what().unwrap().contains(words), "{suite}: {error}");
            }
        }
        RawSignature::new(suite, [below, one].concat()).unwrap();
        RawSignature::new(suite, [one, below].concat()).unwrap();
    }
    // A negative number, needless zeros, more than 32 octets, more than two numbers.
    for der in ["3006020101020181", "30070202000102 0101", "300602010102010100", "3009020101020101020101"] {
        let der = unhex(&[&der.replace(' ', "")]);
        let refused = RawSignature::from_wire(Suite::Sm2Sm3, &der).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::SignatureMalformed, "{der:x?}");
    }
    let long = unhex(&["302702220100", &"00".repeat(32), "020101"]);
    assert_eq!(RawSignature::from_wire(Suite::Sm2Sm3, &long).unwrap_err().kind(), ErrorKind::SignatureMalformed);
    assert!(RawSignature::from_wire(Suite::Sm2Sm3, &unhex(&["3006020101020101"])).is_ok());
}

#[test]
fn der_and_fixed_form_of_a_signature_convert_into_each_other() {
    let mut octets = vec![0_u8; 64];
    octets[31] = 0x80;
    octets[32] = 0x90;
    let raw = RawSignature::new(Suite::P256Sha256, octets).unwrap();
    let wire = raw.to_wire().unwrap();
    assert_eq!(&wire[..6], [0x30, 0x27, 0x02, 0x02, 0x00, 0x80]);
    assert_eq!(RawSignature::from_wire(Suite::P256Sha256, &wire).unwrap(), raw);
    let truncated = RawSignature::from_wire(Suite::P256Sha256, &wire[..wire.len() - 1]);
    assert_eq!(truncated.unwrap_err().kind(), ErrorKind::SignatureMalformed);
}

use super::*;

/// Points: the generator, and the public key of GB/T 32918.5-2017 annex A.2.
const G: &str = "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7\
                 bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0";
const P: &str = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
                 ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";

fn point(hex: &str) -> Point {
    let digits: Vec<u8> = hex.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
    let octets: Vec<u8> = digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect();
    Point::new(octets.try_into().unwrap()).unwrap()
}

fn sample() -> Sm2EnvelopedKey {
    let session_key = Sm2Cipher { point: point(P), hash: [7; 32], cipher: vec![0x5A; 16] };
    let mut private = [0; 64];
    private[32..].fill(0xC3);
    Sm2EnvelopedKey { wrap: WrapCipher::Sm4, session_key, public: point(G), private }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DocumentMalformed);
    assert!(error.what().unwrap_or_default().contains(words), "{error}");
}

#[test]
fn a_wrapped_key_pair_is_the_same_after_each_of_its_forms() {
    let mut sample = sample();
    for wrap in [WrapCipher::Sm1, WrapCipher::Ssf33, WrapCipher::Sm4] {
        sample.wrap = wrap;
        assert_eq!(Sm2EnvelopedKey::from_der(&sample.to_der().unwrap()).unwrap(), sample);
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let blob = sample.to_blob(order);
            assert_eq!(blob.len(), 372 + 16);
            assert_eq!(Sm2EnvelopedKey::from_blob(&blob, order).unwrap(), sample);
            // Three octets more, for the structure's alignment.
            assert_eq!(Sm2EnvelopedKey::from_blob(&[&blob[..], &[0; 3]].concat(), order).unwrap(), sample);
        }
    }
    // 64 wrapped octets are kept whole in DER too.
    sample.private[0] = 1;
    let der = sample.to_der().unwrap();
    assert_eq!(Sm2EnvelopedKey::from_der(&der).unwrap(), sample);
    let cipher = sample.session_key;
    assert_eq!(Sm2Cipher::from_der(&cipher.to_der().unwrap()).unwrap(), cipher);
}

#[test]
fn fields_of_the_structure_stand_where_skf_has_them() {
    let blob = sample().to_blob(ByteOrder::Little);
    // GM/T 0016-2012 §6.4.10: version 1, SGD_SMS4_ECB, 256 bits, then the key at 12, its public half at 76, the ciphertext at 208.
    assert_eq!(blob[..12], [1, 0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0]);
    assert_eq!((blob[12..44].to_vec(), blob[44..76].to_vec()), (vec![0; 32], vec![0xC3; 32]));
    assert_eq!(blob[76..80], [0, 1, 0, 0]);
    assert_eq!((&blob[112..144], &blob[176..208]), (point(G).x(), point(G).y()));
    assert_eq!((&blob[240..272], &blob[304..336]), (point(P).x(), point(P).y()));
    assert_eq!((blob[336..368].to_vec(), blob[368..372].to_vec()), (vec![7; 32], vec![16, 0, 0, 0]));
    assert_eq!(blob[372..], [0x5A; 16]);
}

#[test]
fn what_cannot_be_a_wrapped_key_is_refused() {
    let sample = sample();
    let (der, blob) = (sample.to_der().unwrap(), sample.to_blob(ByteOrder::Big));
    for length in 0..der.len() {
        assert!(Sm2EnvelopedKey::from_der(&der[..length]).is_err(), "{length}");
    }
    for length in 0..blob.len() {
        refused(Sm2EnvelopedKey::from_blob(&blob[..length], ByteOrder::Big), "the structure");
    }
    let changed = |place: usize, octet: u8| {
        let mut copy = blob.clone();
        copy[place] = octet;
        Sm2EnvelopedKey::from_blob(&copy, ByteOrder::Big)
    };
    refused(changed(3, 2), "version 2");
    refused(Sm2EnvelopedKey::from_blob(&[0; 388], ByteOrder::Big), "version 0");
    refused(changed(11, 1), "of 257 and 256 bits");
    refused(changed(78, 0), "of 256 and 0 bits");
    refused(changed(80, 1), "longer than 32");
    assert_eq!(changed(143, 0).unwrap_err().kind(), ErrorKind::KeyMalformed, "the public key is not on the curve");
    refused(changed(271, 0), "not on the curve");
    refused(changed(371, 17), "ends within");
    refused(changed(371, 0), "0 octets");
    refused(changed(368, 0xFF), "ends within");
    assert_eq!(changed(7, 2).unwrap_err().kind(), ErrorKind::Unsupported, "SM4 in CBC mode");
    assert_eq!(Sm2EnvelopedKey::from_blob(&blob, ByteOrder::Little).unwrap_err().kind(), ErrorKind::DocumentMalformed);
    refused(Point::new([0; 64]), "not on the curve");
    for (length, read) in [(31, false), (32, true), (33, false), (64, true), (65, false)] {
        let mut der = EnvelopedDer::from_der(&der).unwrap();
        let private = vec![0xC3; length];
        der.private = BitStringRef::from_bytes(&private).unwrap();
        assert_eq!(Sm2EnvelopedKey::from_der(&der.to_der().unwrap()).is_ok(), read, "{length}");
    }
}

#[test]
fn parameters_matter_where_the_cipher_is_named_without_its_mode_alone() {
    use der::asn1::AnyRef;
    let der = sample().to_der().unwrap();
    let iv = OctetStringRef::new(&[0; 16]).unwrap();
    for (oid, parameters, words) in [
        ("1.2.156.10197.1.104.1", None, None),
        ("1.2.156.10197.1.104.1", Some(AnyRef::NULL), None),
        ("1.2.156.10197.1.104.1", Some(AnyRef::from(iv)), None),
        ("1.2.156.10197.1.104", None, None),
        ("1.2.156.10197.1.104", Some(AnyRef::NULL), None),
        ("1.2.156.10197.1.104", Some(AnyRef::from(iv)), Some("with 1.2.156.10197.1.104 with parameters")),
        ("1.2.156.10197.1.104.2", Some(AnyRef::from(iv)), Some("with 1.2.156.10197.1.104.2")),
    ] {
        let mut changed = EnvelopedDer::from_der(&der).unwrap();
        changed.algorithm = AlgorithmIdentifierRef { oid: ObjectIdentifier::new(oid).unwrap(), parameters };
        let read = Sm2EnvelopedKey::from_der(&changed.to_der().unwrap());
        match words {
            None => assert_eq!(read.unwrap().wrap, WrapCipher::Sm4, "{oid} {parameters:?}"),
            Some(words) => {
                let error = read.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.what().unwrap_or_default().ends_with(words), "{error}");
            }
        }
    }
}

#[test]
fn a_point_with_a_short_coordinate_is_padded_on_its_way_back() {
    // X ‖ Y with a small X, from its compressed form.
    let small = (1..=64_u8).find_map(|x| {
        let compressed = [&[2][..], &[0; 31], &[x]].concat();
        sm2::PublicKey::from_sec1_bytes(&compressed).ok().map(|key| (x, key))
    });
    let (x, key) = small.unwrap();
    use sm2::elliptic_curve::sec1::ToSec1Point;
    let octets: [u8; 64] = key.to_sec1_point(false).as_bytes()[1..].try_into().unwrap();
    let cipher = Sm2Cipher { point: Point::new(octets).unwrap(), hash: [0; 32], cipher: vec![1] };
    let der = cipher.to_der().unwrap();
    assert_eq!(der[2..6], [0x02, 0x01, x, 0x02], "one octet of X, then the INTEGER Y");
    assert_eq!(Sm2Cipher::from_der(&der).unwrap(), cipher);
    refused(Point::join(&[1; 33], &[1; 32]), "longer than 32");
}

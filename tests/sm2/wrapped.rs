//! SM2 ciphertexts and wrapped key pairs by OpenSSL.

use shared_shield::ErrorKind;
use shared_shield::suite::sm2_wire::{ByteOrder, Sm2Cipher, Sm2EnvelopedKey, WrapCipher};

use crate::desk::{changed, sm2, well};
use crate::kit::{Scratch, path_text};

const SESSION_KEY: &[u8] = b"synthetic key 16";

/// A session key, encrypted by OpenSSL to the vector's key.
fn encrypted(scratch: &Scratch) -> Vec<u8> {
    let (plain, out) = (scratch.file("plain", SESSION_KEY), scratch.path("cipher"));
    let public = well(&["x509", "-in", &path_text("synthetic_sm2_cert.pem"), "-noout", "-pubkey"]);
    let public = scratch.file("public.pem", &public);
    well(&["pkeyutl", "-encrypt", "-pubin", "-inkey", &public, "-in", &plain, "-out", &out]);
    std::fs::read(out).unwrap()
}

fn decrypted(scratch: &Scratch, cipher: &[u8]) -> Vec<u8> {
    let file = scratch.file("back", cipher);
    well(&["pkeyutl", "-decrypt", "-inkey", &path_text("synthetic_sm2_throwaway.key"), "-in", &file])
}

#[test]
fn a_ciphertext_by_openssl_is_read_and_written_as_it_was() {
    let scratch = Scratch::new();
    for _ in 0..8 {
        let der = encrypted(&scratch);
        let cipher = Sm2Cipher::from_der(&der).unwrap();
        assert_eq!(cipher.cipher.len(), SESSION_KEY.len());
        assert_eq!(cipher.to_der().unwrap(), der);
    }
    let der = encrypted(&scratch);
    let again = Sm2Cipher::from_der(&der).unwrap().to_der().unwrap();
    assert_eq!(decrypted(&scratch, &again), SESSION_KEY);
    // A changed coordinate is no point any more.
    for place in [10, 50] {
        let error = Sm2Cipher::from_der(&changed(&der, place)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DocumentMalformed);
    }
}

#[test]
fn a_key_pair_wrapped_with_openssl_goes_through_the_structure_of_skf_and_back() {
    let scratch = Scratch::new();
    let session = encrypted(&scratch);
    let hex = |octets: &[u8]| octets.iter().map(|o| format!("{o:02x}")).collect::<String>();
    // The encryption pair: here the throw-away key again, wrapped under the session key.
    let point = sm2().key().unwrap().point().unwrap();
    let private = scratch.file("private", &[0x11; 32]);
    let key = hex(SESSION_KEY);
    let wrapped = well(&["enc", "-sm4-ecb", "-K", &key, "-nopad", "-in", &private]);
    let cipher = Sm2Cipher::from_der(&session).unwrap();
    let config = format!(
        "asn1=SEQUENCE:k\n[k]\na=SEQUENCE:a\nc=SEQUENCE:c\np=FORMAT:HEX,BITSTRING:{}\nd=FORMAT:HEX,BITSTRING:{}\n\
         [a]\no=OID:1.2.156.10197.1.104.1\n\
         [c]\nx=INTEGER:0x{}\ny=INTEGER:0x{}\nh=FORMAT:HEX,OCTETSTRING:{}\nc=FORMAT:HEX,OCTETSTRING:{}\n",
        hex(&point),
        hex(&wrapped),
        hex(cipher.point.x()),
        hex(cipher.point.y()),
        hex(&cipher.hash),
        hex(&cipher.cipher),
    );
    let (config, out) = (scratch.file("key.cnf", config.as_bytes()), scratch.path("key.der"));
    well(&["asn1parse", "-genconf", &config, "-noout", "-out", &out]);
    let der = std::fs::read(out).unwrap();

    let enveloped = Sm2EnvelopedKey::from_der(&der).unwrap();
    assert_eq!((enveloped.wrap, enveloped.wrap.sgd()), (WrapCipher::Sm4, 0x401));
    assert_eq!(enveloped.public.octets()[..], point[1..]);
    assert_eq!((enveloped.private[..32].to_vec(), &enveloped.private[32..]), (vec![0; 32], &wrapped[..]));
    assert_eq!(enveloped.to_der().unwrap(), der);
    let blob = enveloped.to_blob(ByteOrder::Little);
    let back = Sm2EnvelopedKey::from_blob(&blob, ByteOrder::Little).unwrap();
    assert_eq!(back.to_der().unwrap(), der);
    // What a token would find: the session key, and with it the private key.
    assert_eq!(decrypted(&scratch, &back.session_key.to_der().unwrap()), SESSION_KEY);
    let file = scratch.file("wrapped", &back.private[32..]);
    assert_eq!(well(&["enc", "-d", "-sm4-ecb", "-K", &key, "-nopad", "-in", &file]), [0x11; 32]);
    assert!(!format!("{back:?}").contains("private"), "nothing of the wrapped key in a log");
}

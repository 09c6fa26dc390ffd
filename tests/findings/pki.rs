//! Authorities, certificates and revocation lists, made by OpenSSL.

use crate::ceb_kit::{Folder, run_well};

/// Certificates of a critical extended key usage, and whether one of its uses signs documents.
pub(crate) const USES: [(&str, &str, bool); 5] = [
    ("for-servers", "serverAuth", false),
    ("for-code-and-time", "codeSigning,timeStamping", false),
    ("for-ocsp", "OCSPSigning", false),
    ("for-mail", "emailProtection", true),
    ("for-mail-and-servers", "serverAuth,emailProtection", true),
];

/// Authorities of one kind of key.
pub(crate) struct Pki {
    pub(crate) folder: Folder,
    /// "p256", "rsa" or "sm2".
    pub(crate) kind: &'static str,
}

impl Pki {
    pub(crate) fn new(kind: &'static str) -> Self {
        let pki = Pki { folder: Folder::new(), kind };
        let dummy = pki.path("dummy.key");
        run_well("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &dummy]);
        pki.root("root", "keyUsage=critical,keyCertSign,cRLSign");
        pki.root("stranger", "keyUsage=critical,keyCertSign,cRLSign");
        let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
        pki.issue("middle", "root", "11", authority);
        pki.issue(
            "short",
            "root",
            "12",
            "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n",
        );
        pki.issue("below", "short", "13", authority);
        pki.issue("no-ca", "root", "14", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n");
        pki.issue("no-sign", "root", "15", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n");
        let signer = "keyUsage=critical,digitalSignature\n";
        for (name, ca, serial) in [
            ("signer", "middle", "21"),
            ("other", "middle", "22"),
            ("deep", "below", "23"),
            ("under-short", "short", "24"),
            ("by-no-ca", "no-ca", "25"),
            ("by-no-sign", "no-sign", "26"),
        ] {
            pki.issue(name, ca, serial, signer);
        }
        pki.issue("strange", "middle", "27", &format!("{signer}1.2.3.4=critical,ASN1:NULL\n"));
        for (serial, (name, uses, _)) in (40..).zip(USES) {
            let serial = format!("{serial}");
            pki.issue(name, "middle", &serial, &format!("{signer}extendedKeyUsage=critical,{uses}\n"));
        }
        pki
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.0.join(name).to_str().unwrap().to_owned()
    }

    fn key(&self, name: &str) -> String {
        let key = self.path(&format!("{name}.key"));
        match self.kind {
            "rsa" => {
                run_well("openssl", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &key])
            }
            kind => {
                let curve = if kind == "sm2" { "SM2" } else { "prime256v1" };
                run_well("openssl", &["ecparam", "-name", curve, "-genkey", "-noout", "-out", &key])
            }
        };
        key
    }

    /// Digest and, for SM2, the identifier.
    fn how(&self) -> Vec<&'static str> {
        if self.kind == "sm2" { vec!["-sm3", "-sigopt", "distid:1234567812345678"] } else { vec!["-sha256"] }
    }

    fn root(&self, name: &str, extension: &str) {
        let (key, pem, subject) = (self.key(name), self.path(&format!("{name}.pem")), format!("/CN=Synthetic {name}"));
        let mut arguments =
            vec!["req", "-new", "-x509", "-key", &key, "-subj", &subject, "-days", "4000", "-addext", extension];
        arguments.extend(["-out", &pem]);
        arguments.extend(self.how());
        run_well("openssl", &arguments);
    }

    pub(crate) fn issue(&self, name: &str, ca: &str, serial: &str, extensions: &str) {
        self.issue_to(name, name, ca, serial, extensions);
    }

    /// A certificate `name` of a key of its own for a `subject` that may have others.
    pub(crate) fn issue_to(&self, name: &str, subject: &str, ca: &str, serial: &str, extensions: &str) {
        self.key(name);
        let extensions = format!("{extensions}subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n");
        self.ask(name, subject, &extensions);
        self.certify(name, name, ca, serial, &self.how());
    }

    /// The same of an RSA key of so many bits, signed with this digest, and without key identifiers.
    pub(crate) fn issue_of_length(&self, name: &str, ca: &str, serial: &str, extensions: &str, how: (&str, &str)) {
        let (bits, digest) = how;
        run_well("openssl", &["genrsa", "-out", &self.path(&format!("{name}.key")), bits]);
        let extensions = format!("{extensions}subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n");
        self.ask(name, &format!("of {bits} bits"), &extensions);
        self.certify(name, name, ca, serial, &[digest]);
    }

    /// Another certificate, `name`, of the key and the subject of the authority `of`.
    pub(crate) fn certify_again(&self, name: &str, of: &str, ca: &str, serial: &str) {
        self.certify(name, of, ca, serial, &self.how());
    }

    /// The same with other extensions, and a name of its own in the files: `name` signs lists with the key of `of`.
    pub(crate) fn certify_otherwise(&self, name: &str, of: &str, ca: &str, serial: &str, extensions: &str) {
        std::fs::copy(self.path(&format!("{of}.key")), self.path(&format!("{name}.key"))).unwrap();
        self.ask(name, of, extensions);
        self.certify(name, name, ca, serial, &self.how());
    }

    /// A signer's certificate that names no key of its issuer.
    pub(crate) fn issue_without_ids(&self, name: &str, ca: &str, serial: &str) {
        self.key(name);
        let none = "subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n";
        self.ask(name, name, &format!("keyUsage=critical,digitalSignature\n{none}"));
        self.certify(name, name, ca, serial, &self.how());
    }

    /// Writes what is to be certified of a key: its public half, a request with the subject, extensions.
    fn ask(&self, name: &str, subject: &str, extensions: &str) {
        let [key, public, request, file] =
            ["key", "pub", "csr", "ext"].map(|suffix| self.path(&format!("{name}.{suffix}")));
        run_well("openssl", &["pkey", "-in", &key, "-pubout", "-out", &public]);
        let subject = format!("/CN=Synthetic {subject}");
        run_well("openssl", &["req", "-new", "-key", &self.path("dummy.key"), "-subj", &subject, "-out", &request]);
        std::fs::write(&file, extensions).unwrap();
    }

    fn certify(&self, name: &str, of: &str, ca: &str, serial: &str, how: &[&str]) {
        let [public, request, file] = ["pub", "csr", "ext"].map(|suffix| self.path(&format!("{of}.{suffix}")));
        let [ca_pem, ca_key] = ["pem", "key"].map(|suffix| self.path(&format!("{ca}.{suffix}")));
        let (serial, out) = (format!("0x{serial}"), self.path(&format!("{name}.pem")));
        let mut arguments =
            vec!["x509", "-req", "-in", &request, "-force_pubkey", &public, "-CA", &ca_pem, "-CAkey", &ca_key];
        arguments.extend(["-set_serial", &serial, "-days", "3650", "-extfile", &file, "-out", &out]);
        arguments.extend(how);
        run_well("openssl", &arguments);
    }

    /// A list of `ca` with these serial numbers, current for 30 days from now or, if `stale`, for a time that is over.
    pub(crate) fn crl(&self, name: &str, ca: &str, revoked: &[&str], stale: bool) -> Vec<u8> {
        let over = ["-crl_lastupdate", "20260101000000Z", "-crl_nextupdate", "20260201000000Z"];
        self.crl_of(name, ca, revoked, if stale { &over } else { &["-crldays", "30"] })
    }

    pub(crate) fn crl_of(&self, name: &str, ca: &str, revoked: &[&str], times: &[&str]) -> Vec<u8> {
        self.crl_with(name, ca, revoked, times, "")
    }

    /// The same with more extensions: lines of OpenSSL's configuration, which may go on with sections of their own.
    pub(crate) fn crl_with(&self, name: &str, ca: &str, revoked: &[&str], times: &[&str], extensions: &str) -> Vec<u8> {
        let lines: String = revoked
            .iter()
            .map(|serial| format!("R\t361122000000Z\t260101000000Z,keyCompromise\t{serial}\tunknown\t/CN=Synthetic\n"))
            .collect();
        let index = self.path(&format!("{name}.index"));
        std::fs::write(&index, lines).unwrap();
        let (number, out) = (self.path(&format!("{name}.number")), self.path(&format!("{name}.crl")));
        std::fs::write(&number, "01\n").unwrap();
        let config = self.path(&format!("{name}.cnf"));
        let text = format!(
            "[ca]\ndefault_ca=it\n[it]\ndatabase={index}\ncrlnumber={number}\ndefault_md={}\ncrl_extensions=crl\n[crl]\n\
             authorityKeyIdentifier=keyid\n{extensions}",
            if self.kind == "sm2" { "sm3" } else { "sha256" }
        );
        std::fs::write(&config, text).unwrap();
        let (ca_pem, ca_key) = (self.path(&format!("{ca}.pem")), self.path(&format!("{ca}.key")));
        let mut arguments =
            vec!["ca", "-gencrl", "-config", &config, "-cert", &ca_pem, "-keyfile", &ca_key, "-out", &out];
        if self.kind == "sm2" {
            arguments.extend(["-sigopt", "distid:1234567812345678"]);
        }
        arguments.extend(times);
        run_well("openssl", &arguments);
        std::fs::read(out).unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(&format!("{name}.pem"))).unwrap()
    }
}

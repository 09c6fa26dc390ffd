//! The verdict on an enveloped signature: every reason is named, none is guessed.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use uppsala::{Document, NodeId};

use super::canonical::{Checked, document, element};
use super::identifiers::{self, Set};
use super::read::{Parts, Reader, shown};
use super::{DSIG, dsig_elements, why};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::format::proof::{self, Form, Proof};
use crate::suite::{DigestAlgorithm, PublicKey, Sm2Id, Suite};
use crate::verify::{Finding, FindingKind, Place, Report, Severity, VerifyContext, Words};

/// Judges the one signature of a document.
///
/// # Errors
/// Only those of the library itself; what is wrong with the document is in the report.
pub(crate) fn judge(checked: &Checked<'_>, report: &mut Report, context: &VerifyContext) -> Result<()> {
    let tree = checked.tree()?;
    let Some(signature) = the_signature(checked, &tree, report) else { return Ok(()) };
    let mut reader = Reader { checked, tree: &tree, report };
    let parts = reader.signature(signature);
    reader.oddities(signature);
    let mut judge = Judge {
        checked,
        tree: &tree,
        signature,
        parts: &parts,
        report,
        context,
        unexplained: Vec::new(),
        of_digest: Vec::new(),
    };
    let set = judge.set();
    let computed = judge.digest()?;
    let certificate = judge.certificate();
    if let Some(certificate) = &certificate {
        judge.key_name(certificate);
        let place = judge.place(parts.nodes.certificate);
        judge.report.judge_certificate_at(certificate, context, &[], place);
    }
    if let (Some(set), Some(certificate)) = (set, certificate) {
        judge.report.suite = Some(set.suite);
        judge.value(set, &certificate, computed)?;
    }
    judge.no_known_reason();
    Ok(())
}

/// Reads a finished document as a verifier does, and proves digest and signature with this certificate.
///
/// # Errors
/// `SignatureWrong` where either is not right: the document must not leave.
pub(crate) fn prove(octets: &[u8], by: &Certificate) -> Result<()> {
    let wrong = |detail: &'static str| Error::new(ErrorKind::SignatureWrong, "prove Signature").detail(detail);
    let checked = Checked::read(octets)?;
    let tree = checked.tree()?;
    let mut report = Report::new("ceb");
    let signature = the_signature(&checked, &tree, &mut report).ok_or_else(|| wrong("no Signature"))?;
    let parts = Reader { checked: &checked, tree: &tree, report: &mut report }.signature(signature);
    let (method, named) = (parts.method.as_deref(), parts.digest_method.as_deref());
    let set = method.zip(named).and_then(|(m, d)| Set::by_signature(m).filter(|set| set.holds(m, d)));
    let set = set.ok_or_else(|| wrong("identifiers"))?;
    let digest = set.suite.digest().of(&document(&tree, Some(signature))?)?;
    if parts.digest.as_deref() != Some(digest.octets()) {
        return Err(wrong("digest"));
    }
    let (Some(signed_info), Some(value)) = (parts.signed_info, &parts.value) else { return Err(wrong("no value")) };
    let value = proof::read(by.key()?, set.suite, value, Form::Raw).ok().filter(|(_, otherwise)| otherwise.is_none());
    let (value, _) = value.ok_or_else(|| wrong("the form of the value"))?;
    // Customs messages have the default identifier in Z.
    if !Proof::new(by.key()?, value, &Sm2Id::default()).is_over(&element(&tree, signed_info)?) {
        return Err(wrong("value"));
    }
    let named = parts.certificate.as_deref() == Some(by.der());
    match report.findings.iter().any(|f| f.severity() == Severity::Wrong) {
        false if named => Ok(()),
        _ => Err(wrong("the finished document does not verify")),
    }
}

/// The first Signature; a second one, or one in another place, is a finding.
fn the_signature(checked: &Checked<'_>, tree: &Document<'_>, report: &mut Report) -> Option<NodeId> {
    let all = dsig_elements(tree, "Signature");
    let Some(&first) = all.first() else {
        let place = tree.document_element().and_then(|id| checked.place(tree, id));
        let finding =
            Finding::new(FindingKind::NoSignature).compared(("one Signature", "一个 Signature"), ("none", "无"));
        report.add(finding.maybe_at(place));
        return None;
    };
    let mut reader = Reader { checked, tree, report };
    if let Some(&second) = all.get(1) {
        let said = (format!("{} Signature elements", all.len()), format!("{} 个 Signature 元素", all.len()));
        reader.compare(FindingKind::SeveralSignatures, second, said, ("1", all.len().to_string()));
    }
    if tree.parent(first) != tree.document_element() {
        let said = ("the Signature is not a child of the document element", "Signature 不是根元素的子元素");
        let parent = tree.parent(first).and_then(|id| tree.element(id)).map(|e| shown(&e.name.local_name));
        let root = tree.document_element().and_then(|id| tree.element(id)).map(|e| shown(&e.name.local_name));
        reader.compare(FindingKind::Wrapping, first, said, (root.unwrap_or_default(), parent.unwrap_or_default()));
    }
    Some(first)
}

struct Judge<'j> {
    checked: &'j Checked<'j>,
    tree: &'j Document<'j>,
    signature: NodeId,
    parts: &'j Parts,
    report: &'j mut Report,
    context: &'j VerifyContext,
    /// Symptoms without a cause: the digest and the value, and where they stand.
    unexplained: Vec<(Symptom, Option<Place>)>,
    /// Why the digest differs, as it looks without the value.
    of_digest: Vec<Finding>,
}

impl Judge<'_> {
    fn place(&self, node: Option<NodeId>) -> Option<Place> {
        self.checked.place(self.tree, node?)
    }

    /// The set that both identifiers name.
    fn set(&mut self) -> Option<Set> {
        let (signature, digest) = (self.parts.method.as_deref()?, self.parts.digest_method.as_deref()?);
        let nodes = &self.parts.nodes;
        let unknown = |identifier: &str, place| {
            let expected = ("an official identifier", "官方算法标识");
            Finding::new(FindingKind::IdentifierUnknown).compared(expected, shown(identifier)).maybe_at(place)
        };
        let found = Set::by_signature(signature);
        let Some(set) = found else {
            self.report.add(unknown(signature, self.place(nodes.method)));
            return None;
        };
        if identifiers::digest(digest).is_none() {
            self.report.add(unknown(digest, self.place(nodes.digest_method)));
        } else if !set.holds(signature, digest) {
            let expected = format!("{} with {}", set.signature, set.digest);
            let found = format!("{} with {}", shown(signature), shown(digest));
            let place = self.place(nodes.method);
            self.report.add(Finding::new(FindingKind::IdentifiersMixed).compared(expected, found).maybe_at(place));
        }
        if !set.official {
            self.report.add(Finding::new(FindingKind::TestIdentifiers).detail(set.suite.name()));
        }
        if set.suite == Suite::RsaSha1 {
            self.report.add(Finding::new(FindingKind::Sha1Used));
        }
        Some(set)
    }

    fn digest_algorithm(&self) -> Option<DigestAlgorithm> {
        self.parts.digest_method.as_deref().and_then(identifiers::digest)
    }

    /// Judges DigestValue; gives the digest of the document as it stands.
    fn digest(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(algorithm) = self.digest_algorithm() else { return Ok(None) };
        let input = document(self.tree, Some(self.signature))?;
        let computed = algorithm.of(&input)?.octets().to_vec();
        // A DigestValue that cannot be read has its finding. What it was may still be why the value is wrong.
        let Some(claimed) = &self.parts.digest else { return Ok(Some(computed)) };
        if computed == *claimed {
            self.report.add(Finding::new(FindingKind::DigestRight));
            return Ok(Some(computed));
        }
        let place = self.place(self.parts.nodes.digest);
        let (expected, found) = (shown(&Base64::encode_string(claimed)), Base64::encode_string(&computed));
        self.report.add(Finding::new(FindingKind::DigestWrong).compared(expected, found).maybe_at(place));
        let causes = why::of_digest(self.checked, self.tree, self.signature, (algorithm, claimed), place);
        if causes.is_empty() {
            self.unexplained.push((Symptom::Digest, place));
        }
        self.of_digest.clone_from(&causes);
        self.causes(causes);
        Ok(Some(computed))
    }

    /// Adds causes, each once: digest and value may have the same.
    fn causes(&mut self, causes: Vec<Finding>) {
        for cause in causes {
            let same = |f: &Finding| {
                let same = f.expected == cause.expected && f.found == cause.found;
                f.kind == cause.kind && (same || f.kind == FindingKind::C14nWithComments)
            };
            if !self.report.findings.iter().any(same) {
                self.report.add(cause);
            }
        }
    }

    /// The certificate of the document, or the caller's where the document has none.
    fn certificate(&mut self) -> Option<Arc<Certificate>> {
        let Some(der) = &self.parts.certificate else {
            // One that is there and cannot be used has a finding of its own: that none is there would not be true.
            if self.context.certificate.is_none() && !self.names_certificate() {
                let finding = Finding::new(FindingKind::CertificateMissing)
                    .compared(("X509Certificate in KeyInfo", "KeyInfo 中的 X509Certificate"), ("none", "无"));
                let place = self.place(Some(self.signature));
                self.report.add(finding.maybe_at(place));
            }
            return self.context.certificate.clone();
        };
        match Certificate::from_der(der) {
            Ok(certificate) => Some(Arc::new(certificate)),
            Err(error) => {
                let finding = Finding::new(FindingKind::CertificateUnreadable).detail(error.what().unwrap_or_default());
                let place = self.place(self.parts.nodes.certificate);
                self.report.add(finding.maybe_at(place));
                None
            }
        }
    }

    fn names_certificate(&self) -> bool {
        let is_one = |id: NodeId| self.tree.element(id).is_some_and(|e| e.matches_name_ns(DSIG, "X509Certificate"));
        self.tree.descendants(self.signature).into_iter().any(is_one)
    }

    /// KeyInfo is not signed, so KeyName says nothing by itself: customs registers certificates by it (manual::customs §1.4).
    fn key_name(&mut self, certificate: &Certificate) {
        let expected = certificate.number();
        let (kind, found): (_, Words) = match &self.parts.key_name {
            Some(name) if *name == expected => return,
            Some(name) if name.eq_ignore_ascii_case(&expected) => (FindingKind::NumberCase, shown(name).into()),
            Some(name) => (FindingKind::KeyNameOther, shown(name).into()),
            None => (FindingKind::KeyNameOther, ("no KeyName", "无 KeyName").into()),
        };
        let place = self.place(self.parts.nodes.key_name);
        self.report.add(Finding::new(kind).compared(expected, found).maybe_at(place));
    }

    /// The certificate's key, where the identifiers are for it.
    fn key<'c>(&mut self, set: Set, certificate: &'c Certificate) -> Option<&'c PublicKey> {
        let finding = match certificate.key() {
            Ok(key) if set.suite.fits(key.kind()) => return Some(key),
            Ok(key) => Finding::new(FindingKind::KeyMismatch).compared(set.suite.name(), key.kind().to_string()),
            Err(error) => key_unreadable(&error, set.suite),
        };
        let place = self.place(self.parts.nodes.certificate);
        self.report.add(finding.maybe_at(place));
        None
    }

    fn value(&mut self, set: Set, certificate: &Arc<Certificate>, computed: Option<Vec<u8>>) -> Result<()> {
        let (Some(signed_info), Some(octets)) = (self.parts.signed_info, &self.parts.value) else { return Ok(()) };
        let place = self.place(self.parts.nodes.value);
        let Some(key) = self.key(set, certificate) else { return Ok(()) };
        let message = element(self.tree, signed_info)?;
        let proof = match proof::read(key, set.suite, octets, Form::Raw) {
            Ok((signature, otherwise)) => {
                self.report.findings.extend(otherwise.map(|f| f.maybe_at(place)));
                Ok(Proof::new(key, signature, &self.context.sm2_id))
            }
            Err(finding) => Err(*finding),
        };
        if proof.as_ref().is_ok_and(|proof| proof.is_over(&message)) {
            why::the_value_is_right(self.tree, signed_info, &mut self.report.findings);
            self.report.add(Finding::new(FindingKind::SignatureRight));
            return Ok(());
        }
        let (algorithm, claimed) = (self.digest_algorithm(), self.parts.digest.clone());
        let digests = why::Digests { algorithm, claimed, computed, told: &self.report.findings };
        let search = |proof: &Proof| why::of_value(self.checked, self.tree, signed_info, (set, &digests), proof);
        let by_other = |proof: &Proof| if proof.is_over(&message) { Some(Vec::new()) } else { search(proof) };
        let by_other = || {
            let known = self.context.known_certificates();
            let (suites, id) = ([set.suite], &self.context.sm2_id);
            let (finding, mut causes) = proof::other_signer(octets, &suites, id, certificate, &known, by_other)?;
            causes.insert(0, finding.maybe_at(self.place(self.parts.nodes.certificate)));
            Some(causes)
        };
        let known = proof.as_ref().ok();
        let causes = known.and_then(search).or_else(by_other);
        let of_both = match (&causes, known) {
            (None, Some(proof)) => why::of_both(self.checked, self.tree, signed_info, (set, &digests), proof),
            _ => None,
        };
        let computed = digests.computed;
        let symptom = proof.map(|proof| proof.wrong(&message));
        match (causes, symptom) {
            (Some(causes), symptom) => {
                self.report.findings.extend(symptom.ok().map(|f| f.maybe_at(place)));
                self.value_explained(causes, computed.as_deref());
            }
            (None, Ok(symptom)) => {
                self.report.add(symptom.maybe_at(place));
                match of_both {
                    Some(causes) => self.both_explained(causes),
                    None => self.unexplained.push((Symptom::Value, place)),
                }
            }
            // Its length alone says that it is no value of this key.
            (None, Err(unreadable)) => self.report.add(unreadable.maybe_at(place)),
        }
        Ok(())
    }

    /// Adds why the value is wrong, which may say why the digest differs, too.
    fn value_explained(&mut self, causes: Vec<Finding>, computed: Option<&[u8]>) {
        let is_digest_value = causes.iter().any(|f| is_digest_value(f, computed));
        // A declaration of the document element is among them where the digest is right without that change.
        let of_root = |f: &Finding| matches!(f.kind, FindingKind::NamespaceLost | FindingKind::NamespaceAdded);
        if is_digest_value || causes.iter().any(of_root) {
            self.unexplained.retain(|(of, _)| *of != Symptom::Digest);
        }
        // The document is what was signed: nothing was done to it that would make the DigestValue right that stands there now.
        let of_digest = if is_digest_value { std::mem::take(&mut self.of_digest) } else { Vec::new() };
        // Nor was it hashed with another algorithm than the identifier that stood there.
        let before = causes.iter().find_map(digest_method_before);
        let is_algorithm = |f: &Finding| {
            f.kind == FindingKind::DigestAlgorithmOther && before.is_some() && f.found.as_deref() == before
        };
        self.report.findings.retain(|f| !of_digest.contains(f) && !is_algorithm(f));
        self.causes(causes);
    }

    /// Adds what makes digest and value right together. What would make the digest right that stands there now happened to nobody.
    fn both_explained(&mut self, causes: Vec<Finding>) {
        self.unexplained.retain(|(of, _)| *of != Symptom::Digest);
        let of_digest = std::mem::take(&mut self.of_digest);
        self.report.findings.retain(|f| !of_digest.contains(f));
        self.causes(causes);
    }

    fn no_known_reason(&mut self) {
        // What the signature covers is another thing there: that is the reason.
        if self.report.has(FindingKind::Wrapping) || self.report.has(FindingKind::SeveralSignatures) {
            return;
        }
        for (of, place) in std::mem::take(&mut self.unexplained) {
            let said = match of {
                Symptom::Digest => ("the digest", "摘要"),
                Symptom::Value => ("the signature value", "签名值"),
            };
            self.report.add(Finding::new(FindingKind::NoKnownReason).detail(said).maybe_at(place));
        }
    }
}

/// A certificate whose key is of no use. How it is written is no matter where the key's kind is what is not supported.
fn key_unreadable(error: &Error, suite: Suite) -> Finding {
    let finding = Finding::new(FindingKind::CertificateUnreadable).detail(error.what().unwrap_or_default());
    if error.kind() != ErrorKind::Unsupported {
        return finding;
    }
    let name = suite.name();
    finding.compared(
        (format!("a certificate with a key that {name} takes"), format!("密钥适用于 {name} 的证书")),
        (
            "a certificate that can be read, with a key of a kind that is not supported",
            "证书本身可读取，但其密钥类型不受支持",
        ),
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symptom {
    Digest,
    Value,
}

/// Whether a finding says that DigestValue was what the digest is.
fn is_digest_value(finding: &Finding, computed: Option<&[u8]>) -> bool {
    let right = computed.map(Base64::encode_string);
    finding.kind == FindingKind::SignedInfoChanged && right.is_some() && finding.expected.as_deref() == right.as_deref()
}

/// The digest algorithm of an identifier that was changed after signing.
fn digest_method_before(cause: &Finding) -> Option<&'static str> {
    let identifier = cause.expected.as_deref().filter(|_| cause.kind == FindingKind::SignedInfoChanged)?;
    identifiers::digest(identifier.trim_matches('"')).map(DigestAlgorithm::name)
}

#[cfg(all(test, feature = "rsa", feature = "sm"))]
#[path = "prove_tests.rs"]
mod tests;

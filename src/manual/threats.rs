//! What an attacker could want of a signature, what the library does against it, and what remains.
//!
//! # Login: a signature over what somebody else chose
//!
//! At a login the *site* chooses the octets ([`crate::format::login`]). Whoever can put a challenge before this key asks it to sign up to 256
//! octets of his choice. He wants octets that are something else to somebody else: an order, a declaration, a request for a certificate.
//!
//! ## What is refused, and why
//!
//! White space, byte order marks and NULs before a text are passed over, as sloppy readers do. All of it is refused with
//! `ChallengeDocument`, before a PIN is asked for, for both roles, and by the format itself, so that no way leads around.
//!
//! | a challenge that begins as | would be |
//! |---|---|
//! | `<` | SignedInfo, and so a customs declaration: what XML signatures sign is text that begins with this character |
//! | `"sessionID"`, `"payExchangeInfo` | payment data of announcement 179 |
//! | SET (0x31) | signed attributes of a CMS message (RFC 5652 §5.4): with them, any content. The shortest have some 70 octets, so the limit of 256 does not help |
//! | SEQUENCE (0x30) of an AlgorithmIdentifier | a DigestInfo (RFC 8017 §9.2), for a signer somewhere that takes digests |
//! | any other whole SEQUENCE | a certificate request: its signed part fits for a P-256, SM2 or RSA-1024 key (RFC 2986 §4.1), and an issuing office would take it for proof that the attacker holds the key. Certificates, revocation lists, OCSP and timestamps begin so too |
//! | `{"`, `[{`, `["`, with or without white space between | orders and tokens in JSON |
//! | `eyJ….` and every other base64url of `{` before a dot | a JSON web token (RFC 7515 §5.1): white space in its header makes it begin otherwise |
//! | 64 spaces and `TLS 1.3, ` | CertificateVerify of TLS 1.3 (RFC 8446 §4.4.3, 130 octets): a login to any server that knows the certificate |
//! | `SSHSIG`, or a session identifier before SSH_MSG_USERAUTH_REQUEST | a signature or a login by SSH (RFC 4252 §7) |
//! | `-----BEGIN ` | PEM |
//!
//! Whole valid DER is refused although the announcement of a login never said so: no random is DER but by accident, and nothing that
//! is DER is a random.
//!
//! ## What that costs
//!
//! `<` is judged by its octet alone, because nobody knows how little of XML some verifier asks for: 1 binary random in 256 is refused by accident,
//! and a new one from the site goes through (`Recovery::Retry`; no PIN try is spent). 0x30 and 0x31 are also the digits `0` and `1`.
//! They are refused only with a length field that accounts for exactly what follows (or an indefinite length that ends where it has to), or with the inner tags of an attribute or
//! algorithm: a signature is of use only over a value that is whole. By accident that meets less than 1 random in 10,000.
//!
//! ## What remains
//!
//! - **Plain text.** Some customs pages sign chosen form fields one after the other as text ([`crate::manual::customs`] §1.9), and a CMS message *without* signed attributes signs
//!   its content as it stands. No guard can tell such a text of up to 256 octets from a random that happens to be text. Therefore the prompt
//!   shows a challenge that is text, with invisible characters made visible: **a person who sees an order there must not enter the PIN.** One that holds text is
//!   shown as that text, with escapes for the rest; others are shown in hex. A program that puts its own text into the prompt (`Request::shown`) takes this away and has to show the challenge itself.
//!   A bank should not take CMS without signed attributes; this library writes it only when told to.
//! - **Form fields** of EMS pages ([`crate::format::ems`]) are signed one after the other: where one ends is not signed. The prompt shows them apart.
//! - **Other randoms.** The challenge does not name the site. A false site can pass on the challenge of the true one and log in with the answer
//!   (a relay). Nothing in the octets shows it. Take challenges only from a site whose TLS certificate was checked, and never from a page that
//!   another page embeds.
//! - **Digests.** A challenge of 20 or 32 octets may be a digest. Where some protocol signs a digest *as a message* (CertificateVerify of TLCP, GB/T 38636-2020, signs the
//!   32 octets of an SM3 digest), it cannot be told from a random. Formats of this library hash documents once, never a digest as a message.
//! - **Pushed digests.** What a digest is of cannot be seen. CMS without signed attributes refuses one, on both sides; a raw signature over one is
//!   the caller's own word that it is no other format's octets, because the guard of raw signatures cannot look into it. A signature over nothing but a digest
//!   ([`crate::format::digest`]) has a name of its own, and the prompt says that what it is of cannot be seen.
//! - **A program that lies.** Who calls the library can call for a raw signature just as well. The guard protects a program from the sites that it
//!   talks to, not a person from the program. On the same computer only a shield with its own display helps.
//!
//! # Payment data of announcement 179
//!
//! - The string is put together here, or a ready string is taken only when it is octet for octet what its own fields make: nothing can stand in it
//!   that a reader of the fields does not see. A field that stands twice is refused, because readers disagree which one counts.
//! - `certNo` is not signed. A verifier compares it with the certificate and says so; the certificate comes from its own register, never from the document.
//! - An accepted upload is no verdict: customs was seen to accept a string that was signed with a newline. Verify before sending.
//!
//! # Copies of certificates
//!
//! A certificate is public. Every program may write one on a PKCS#11 token without a PIN, and its public key beside it; whoever is logged in to one
//! application of a GM/T 0017 device may import any there. He wants the PIN that is typed for the certificate to go where his copy lies: it uses up
//! the other party's tries, and the right PIN is called wrong.
//!
//! What is refused, and why:
//!
//! - Each way to a certificate has the number of the PIN that opens it: an application of a device, a token of a module. The same token behind two
//!   modules that give it one label, or whose tokens of one serial number pair off by the certificates on each (everything must have been read), or behind a
//!   module and as a card, is one. A PIN is sent, changed and unlocked within its own number; "this PIN also opens" looks at nothing else.
//! - Where a token itself shows that a key is in it, copies of the certificate under other PINs are no ways, and a problem of the scan says so. A device of GM/T
//!   0017 shows it by ExportPublicKey; a certificate over another key than its container's is `KeyMismatch`. A PKCS#11 token shows it by a public key object with
//!   CKA_LOCAL, which no program can write. Where the other place may be the same one, seen by another driver, it is no way either, but it is not called a
//!   copy: who believed that would delete the only certificate. Other public objects prove nothing, and that one is missing proves nothing: any program can write them and take
//!   them away.
//! - Where nothing shows it, the certificate is `SeveralCredentials`, both places are named, and nobody is asked for a PIN. Remove the copy, or name the place by its
//!   reference, which leads to that place and nowhere else.
//! - Nobody checks signatures of issuers before a PIN is asked for, so a certificate may be forged over a key of the other party's token. Therefore a newer one takes the
//!   place of an older one only under the same PIN. Two current ones under two PINs are `SeveralCredentials`, and so is a current one beside one that has expired
//!   elsewhere. A renewal in the application or on the token of its predecessor is not concerned.
//!
//! What remains:
//!
//! - Where the true certificate is not there at all (its token pulled out, or the certificate deleted from it), a copy or a forgery on the other party's PKCS#11 token is
//!   the only one. A reference that a program has stored is not fooled.
//! - A profile's label chooses among certificates under different PINs. Labels on a PKCS#11 token can be written by every program; names of applications and
//!   containers cannot without a login.
//! - Two modules whose tokens of one serial number pair off by exactly the certificates on each are believed: the tokens are the same. Where one module shows
//!   nothing but the customs token and the other nothing but the bank's, under one number, a copy that is the only certificate on its token would pass for the
//!   true one, and may get a PIN that was typed for that. Do not name two drivers that show a part of one device each.
//! - A module says what it likes of its token: whoever names a false one to this library gives it the PIN.
//! - PIV has one PIN for all slots: a copy in another slot gets no other verifier, and only makes signatures that do not verify.
//!
//! # Cards over PC/SC
//!
//! Every program of the computer reaches the same card. A PIN is sent only in a transaction in which the application was selected and its tries were
//! read; the card is left as it is when the transaction ends, and never reset. What a card answers is parsed within bounds or refused.
//!
//! What remains:
//!
//! - **A PIN stays verified.** A PIV card knows one state for its PIN, whoever entered it. After our VERIFY any other program may sign with 9A until the
//!   card is reset, powered off or pulled out, or another application is selected. We do not log out: that would log out other programs too, and
//!   would cost a command each time. 9C wants the PIN for each signature, whoever asks. On a computer with programs that are not trusted, pull
//!   the key out.
//! - **A login on a GM/T 0017 device** is there for every program as well, as long as it lasts: until the end of the lease, in which nobody else reaches the
//!   device. A policy may have a customs login stay between the leases of a batch: then every program may sign as customs until the batch ends. The bank's
//!   never stays. Where a device refuses the end of a login nobody can end it but who pulls the device out: the receipt and the program say so.
//! - **A dialect that is not the device's** costs a try like a wrong PIN. None is guessed, and one that was never accepted needs a person's word and three tries.
//! - **A simulator** signs for whoever has its state file. It says what it is as its manufacturer, and receipts and `doctor` repeat that; a device that does
//!   not say so is taken for a real one.
//! - **One PIN for both roles.** PIV has one PIN: the prompt and `change-pin` name both roles, tries count once. Roles are kept apart by this library,
//!   not by the card.
//! - **A false reader or service** sees the PIN, as it does with every program. The socket of the service belongs to the system.
//! - **What `doctor` writes.** A bundle names no person and masks numbers, but says which makers, issuers and readers are here, and when certificates
//!   end. Look at it before it is sent.

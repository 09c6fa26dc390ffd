//! Bounds: the caps of the library in one place; those of XML stand beside its parser, in `format::xmldsig`.

use std::time::Duration;

use crate::role::Role;

/// How long a call waits for a shield unless told otherwise.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// A batch gives its lease back after this many signatures.
pub const LEASE_SIGNATURES: u32 = 16;
/// A batch gives its lease back after this time.
pub const LEASE_TIME: Duration = Duration::from_secs(2);
/// How often a batch looks at the time of day, at the least.
pub const SESSION_LOOK: Duration = Duration::from_secs(60);
/// How long dropping a lease waits for the token to close.
pub const CLOSE_TIME: Duration = Duration::from_secs(2);
/// The largest certificate that is read from a token, in octets.
pub const CERTIFICATE_MAX: usize = 16 * 1024;
/// The largest PEM text that is read, in octets: a file of many issuers.
pub const PEM_MAX: usize = 1024 * 1024;
/// The largest revocation list that is read, in octets: some million entries.
pub const CRL_MAX: usize = 48 * 1024 * 1024;
/// The longest chain of certificates that is built, the signer's and the anchor's included.
pub const CHAIN_MAX: usize = 8;
/// Issuers that are tried while a chain is built: each is a signature to verify.
pub const CHAIN_TRIES: usize = 64;
/// The largest attribute that is read from a PKCS#11 object, in octets.
pub const ATTRIBUTE_MAX: usize = 64 * 1024;
/// The most objects of one class that are looked at on one token.
pub const OBJECTS_MAX: usize = 256;
/// The most slots of one module that are looked at.
pub const SLOTS_MAX: usize = 256;
/// The largest signature that a token may give, in octets: RSA-8192.
pub const SIGNATURE_MAX: usize = 1024;
/// The most octets of one answer of a card, put together from its parts: a certificate with room to spare.
pub const ANSWER_MAX: usize = 64 * 1024;
/// The most GET RESPONSE commands for one answer.
pub const ANSWER_ROUNDS: usize = 300;
/// The most octets that one command to a card carries, put together from its parts.
pub const COMMAND_MAX: usize = 16 * 1024;
/// The most octets of a message that go to a token beside its digest, for one that hashes by itself or shows what it signs.
pub const MESSAGE_MAX: usize = COMMAND_MAX;
/// How deep the data objects of a card may be nested.
pub const TLV_DEPTH: usize = 8;
/// The longest name of an application, a container or a file on a device of GM/T 0017, in octets: S16 says 64 for containers, headers of makers
/// up to 128.
pub const NAME_MAX: usize = 128;
/// The most applications of one device of GM/T 0017 that are looked at.
pub const APPLICATIONS_MAX: usize = 16;
/// The most containers of one device of GM/T 0017 that are looked at, over all of its applications.
pub const CONTAINERS_MAX: usize = 64;
/// How often one connection is repaired after resets by other programs before the card is given up.
pub const RECONNECTS: u32 = 4;
/// The pause before a device that serves another program over several transactions is asked again.
pub const TURN_PAUSE: Duration = Duration::from_millis(50);
/// How many tries a PIN must have left before it is sent for the first time in a form that the device has never accepted.
pub const UNPROVEN_TRIES: u8 = 3;
/// The most readers that are looked at.
pub const READERS_MAX: usize = 64;
/// The most calls into the smart-card service that may be under way without an answer.
pub const SERVICE_CALLS_MAX: usize = 64;
/// How long the connection to a card stays open after its last use, at the least; at most twice as long.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(2);
/// How long a shield that was there before is waited for when the smart-card service has gone away: services are restarted.
pub const SERVICE_RETURN: Duration = Duration::from_secs(5);
/// How much later than its own thread a caller stops waiting, so that it hears the reason.
pub const GRACE: Duration = Duration::from_millis(200);
/// After this time of waiting for a shield a caller is told that it waits.
pub const PROGRESS_AFTER: Duration = Duration::from_secs(1);
/// The largest document inside a CMS message, in octets; larger ones are signed detached. Far below the 4 GiB of a DER length, and below the
/// 2 GiB at which readers with signed lengths stop.
pub const CMS_ATTACHED_MAX: u64 = 1024 * 1024 * 1024;
/// Attached documents up to this many octets are held in memory while the message is written, so that nothing is written if they changed.
pub const CMS_HELD_MAX: u64 = 1024 * 1024;
/// The largest CMS message that is read in memory, in octets: detached ones and PEM.
pub const CMS_MEMORY_MAX: usize = 64 * 1024 * 1024;
/// The largest CMS message in BER, in octets: to find the end of an indefinite length everything inside it is gone through, once for each level.
pub const CMS_BER_MAX: usize = 16 * 1024 * 1024;
/// The most octets of certificates, revocation lists and signatures in one CMS message.
pub const CMS_REST_MAX: usize = 4 * 1024 * 1024;
/// The most certificates in one CMS message.
pub const CMS_CERTIFICATES_MAX: usize = 64;
/// The most signers and digest algorithms of one CMS message that are counted.
pub const CMS_SIGNERS_MAX: usize = 16;
/// The most octets of signed attributes.
pub const CMS_ATTRIBUTES_MAX: usize = 64 * 1024;
/// The largest document of a batch, in octets: a customs message is none of the large ones.
pub const BATCH_DOCUMENT_MAX: usize = 8 * 1024 * 1024;
/// The most documents of one batch.
pub const BATCH_DOCUMENTS_MAX: usize = 100_000;
/// The largest manifest and the largest journal of a batch, in octets.
pub const BATCH_LIST_MAX: u64 = 64 * 1024 * 1024;
/// The longest text that a prompt shows, in octets.
pub const DISPLAY_MAX: usize = 4096;
/// A receipt warns when the certificate ends within this many days (manual::customs §8, pain 8: 90, 30 and 7 days ahead).
pub const EXPIRY_WARNING_DAYS: u64 = 90;
/// Days before the end of a certificate at which `doctor` becomes more urgent: [`EXPIRY_WARNING_DAYS`] is the last of them.
pub const EXPIRY_STEPS: [u64; 3] = [7, 30, EXPIRY_WARNING_DAYS];
/// The largest state file of the simulator, in octets: twice what its device can hold, in hex.
pub const STATE_MAX: u64 = 1024 * 1024;
/// The largest profile file, in octets.
pub const PROFILE_MAX: u64 = 256 * 1024;

/// How much one PIN entry may sign. Profiles lower it; only code raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Signatures for one entry.
    pub signatures: u32,
    /// Time since the entry.
    pub lifetime: Duration,
    /// Time without a signature.
    pub idle: Duration,
    /// How often an accepted PIN may be sent again after the token lost the login.
    pub resends: u32,
    /// A card that keeps its login keeps it between the leases of a batch too, where any other program may use it. Customs alone: the bank's
    /// login always ends with its lease.
    pub keep_login: bool,
}

impl Policy {
    /// What a role gets by default: customs 5,000 signatures, 12 hours, 30 minutes idle; the bank one signature.
    #[must_use]
    pub fn of(role: Role) -> Self {
        let hour = Duration::from_secs(3600);
        match role {
            Role::Customs => {
                Policy { signatures: 5_000, lifetime: hour * 12, idle: hour / 2, resends: 16, keep_login: false }
            }
            Role::Bank => Policy { signatures: 1, lifetime: hour / 2, idle: hour / 12, resends: 0, keep_login: false },
        }
    }

    /// The lower of both in each point.
    #[must_use]
    pub fn lowered_by(self, other: Policy) -> Self {
        Policy {
            signatures: self.signatures.min(other.signatures),
            lifetime: self.lifetime.min(other.lifetime),
            idle: self.idle.min(other.idle),
            resends: self.resends.min(other.resends),
            keep_login: self.keep_login && other.keep_login,
        }
    }
}

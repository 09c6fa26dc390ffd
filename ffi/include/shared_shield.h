/* libshared_shield: the C interface of shared-shield. Made by cbindgen; do not edit.
 *
 * One shield (USB key or card) holds two certificates, customs and bank, each under its own PIN.
 * The usual way: shield_scan_new, shield_open, shield_sign_file; or shield_unlock and many
 * shield_batch_sign_file.
 *
 * Results.  Every function gives a result code: SHIELD_OK (0), or the number of a kind of error.
 *   Functions with a last argument `error` put an error object there when they fail (and leave it
 *   alone when they succeed): set it to NULL before, free it after, or give NULL for it. There is no
 *   error kept per thread or process. shield_code_text says what a code means without an object.
 * Outputs.  They come last and are written on success only. An exception is `needed`, see there.
 * Handles.  Pointers to opaque structs are names, not addresses: never look behind one. NULL, a
 *   freed handle, one of another kind or a made-up one gives an error, from free functions too.
 *   What a function gives is yours until you free it with the function of its kind, in any order,
 *   on any thread. Objects live independently: freeing a scan does not close its shields.
 * Text.  Inputs: UTF-8 as a pointer and a length in octets, no NUL needed; paths too, on Windows as
 *   well. SHIELD_TEXT("literal") makes one. Outputs go to your buffer, end with NUL, and hold no
 *   other NUL. Where a field has nothing to say, the text is empty.
 * Buffers.  buffer, capacity, needed: `needed` (may be NULL) gets the length that the buffer must
 *   have, the NUL of a text included. A shorter one gives SHIELD_ERR_BUFFER_TOO_SHORT and nothing
 *   is copied; NULL with capacity 0 asks for the length alone.
 * Options.  Structs begin with struct_size: set it to sizeof, everything else that you do not use
 *   to zero. Programs compiled with an older header keep working; what is newer than the library
 *   and not zero is refused with SHIELD_ERR_STRUCT_UNKNOWN, as is a size that no header had.
 * Inputs are copied before a function does anything else; nothing of yours is kept afterwards.
 * Threads.  Every function may be called from every thread, also with the same handle.
 * Blocking.  wait_ms bounds what machines do; the time in which a person types does not count.
 * Readers.  A scan that names no module looks at the computer's readers (PC/SC). On Windows and macOS
 *   PC/SC is part of the system. Elsewhere libshared_shield_pcsc must lie in the folder of
 *   libshared_shield (of the program, where the static library is inside), and libpcsclite must be
 *   installed; the library loads without both, and a scan then says which is missing.
 * The library prints nothing, installs no signal handler, and lets no panic out: a defect of its own
 *   comes back as SHIELD_ERR_DEFECT. It reads no environment but libpcsclite's PCSCLITE_CSOCK_NAME.
 * Calling convention.  SHIELD_CALL: cdecl, whatever your compiler's default is. Write it before the
 *   name of your PIN dialog too: static uint32_t SHIELD_CALL ask(void *userdata, ...).
 * This file is pure ASCII. What is said in Chinese comes from calls, in UTF-8:
 *   SHIELD_ERROR_MESSAGE_ZH, SHIELD_FINDING_TEXT_ZH, shield_receipt_note.
 */

#ifndef SHARED_SHIELD_H
#define SHARED_SHIELD_H

#include <stddef.h>
#include <stdint.h>

/* Success. */
#define SHIELD_OK 0

/* Kinds of error; the numbers never change. */
#define SHIELD_ERR_BUSY 0x1001
#define SHIELD_ERR_CANCELLED 0x1002
#define SHIELD_ERR_TIMEOUT 0x1003
#define SHIELD_ERR_NO_SHIELD 0x1004
#define SHIELD_ERR_SEVERAL_SHIELDS 0x1005
#define SHIELD_ERR_MODULE_NOT_FOUND 0x1010
#define SHIELD_ERR_NOT_A_MODULE 0x1011
#define SHIELD_ERR_MODULE_FAILED 0x1012
#define SHIELD_ERR_TOKEN_NOT_INITIALISED 0x1013
#define SHIELD_ERR_TOKEN_FAILED 0x1014
#define SHIELD_ERR_TOKEN_ANSWER 0x1015
#define SHIELD_ERR_PATH_NOT_ABSOLUTE 0x1016
#define SHIELD_ERR_FORKED 0x1017
#define SHIELD_ERR_SERVICE_STOPPED 0x1020
#define SHIELD_ERR_SERVICE_REFUSED 0x1021
#define SHIELD_ERR_SERVICE_FULL 0x1022
#define SHIELD_ERR_SERVICE_MISSING 0x1023
#define SHIELD_ERR_NO_READER 0x1024
#define SHIELD_ERR_READER_BUSY 0x1025
#define SHIELD_ERR_CARD_MUTE 0x1026
#define SHIELD_ERR_CARD_UNKNOWN 0x1027
#define SHIELD_ERR_CARD_APPLICATION 0x1028
#define SHIELD_ERR_CARD_REMOVED 0x1029
#define SHIELD_ERR_DIALECT_MISSING 0x102A
#define SHIELD_ERR_DIALECT_UNPROVEN 0x102B
#define SHIELD_ERR_DEVICE_INFO 0x102C
#define SHIELD_ERR_STATE_FILE 0x102D
#define SHIELD_ERR_PIN_INCORRECT 0x2001
#define SHIELD_ERR_PIN_LOCKED 0x2002
#define SHIELD_ERR_LAST_TRY 0x2003
#define SHIELD_ERR_PIN_REQUIRED 0x2004
#define SHIELD_ERR_PIN_EMPTY 0x2005
#define SHIELD_ERR_PIN_LENGTH 0x2006
#define SHIELD_ERR_PIN_ENCODING 0x2007
#define SHIELD_ERR_PIN_DECLINED 0x2008
#define SHIELD_ERR_LOGIN_HELD_BY_HOST 0x2009
#define SHIELD_ERR_PIN_ROLE 0x200A
#define SHIELD_ERR_TRIES_UNKNOWN 0x200B
#define SHIELD_ERR_PIN_NOT_SET 0x200C
#define SHIELD_ERR_SESSION_ENDED 0x200D
#define SHIELD_ERR_LOGIN_FAILED 0x200E
#define SHIELD_ERR_PUK_INCORRECT 0x200F
#define SHIELD_ERR_PUK_LOCKED 0x2010
#define SHIELD_ERR_NEW_PIN_REFUSED 0x2011
#define SHIELD_ERR_ADMIN_KEY 0x2012
#define SHIELD_ERR_PUK_LAST_TRY 0x2013
#define SHIELD_ERR_NO_CREDENTIAL 0x3001
#define SHIELD_ERR_SEVERAL_CREDENTIALS 0x3002
#define SHIELD_ERR_CERTIFICATE_EXPIRED 0x3003
#define SHIELD_ERR_CERTIFICATE_NOT_YET_VALID 0x3004
#define SHIELD_ERR_CERTIFICATE_MALFORMED 0x3005
#define SHIELD_ERR_CERTIFICATE_CHANGED 0x3006
#define SHIELD_ERR_KEY_MISSING 0x3007
#define SHIELD_ERR_KEY_UNSUITED 0x3008
#define SHIELD_ERR_KEY_MISMATCH 0x3009
#define SHIELD_ERR_KEY_MALFORMED 0x300A
#define SHIELD_ERR_CRL_MALFORMED 0x300B
#define SHIELD_ERR_ROLE_MISMATCH 0x3010
#define SHIELD_ERR_DOCUMENT_MALFORMED 0x4001
#define SHIELD_ERR_DOCUMENT_DTD 0x4002
#define SHIELD_ERR_DOCUMENT_TOO_DEEP 0x4003
#define SHIELD_ERR_DOCUMENT_TOO_LARGE 0x4004
#define SHIELD_ERR_DOCUMENT_ENCODING 0x4005
#define SHIELD_ERR_DOCUMENT_SIGNED 0x4006
#define SHIELD_ERR_DOCUMENT_KIND 0x4007
#define SHIELD_ERR_DOCUMENT_AMBIGUOUS 0x4008
#define SHIELD_ERR_DOCUMENT_CHANGED 0x4009
#define SHIELD_ERR_UNSUPPORTED_BY_CUSTOMS 0x400A
#define SHIELD_ERR_DISPLAY_TEXT 0x400B
#define SHIELD_ERR_DECLARANT_MISMATCH 0x400C
#define SHIELD_ERR_MESSAGE_NEVER_SIGNED 0x400D
#define SHIELD_ERR_IDENTIFIERS_UNSUITED 0x400E
#define SHIELD_ERR_DOCUMENT_TWICE 0x400F
#define SHIELD_ERR_JSON_MALFORMED 0x4020
#define SHIELD_ERR_FIELD_TWICE 0x4021
#define SHIELD_ERR_FIELD_UNKNOWN 0x4022
#define SHIELD_ERR_FIELD_MISSING 0x4023
#define SHIELD_ERR_FIELD_TYPE 0x4024
#define SHIELD_ERR_FIELD_NUMBER 0x4025
#define SHIELD_ERR_FIELD_VALUE 0x4026
#define SHIELD_ERR_STRING_NEWLINE 0x4027
#define SHIELD_ERR_STRING_SHAPE 0x4028
#define SHIELD_ERR_CHALLENGE_EMPTY 0x4030
#define SHIELD_ERR_CHALLENGE_TOO_LONG 0x4031
#define SHIELD_ERR_CHALLENGE_ENCODING 0x4032
#define SHIELD_ERR_CHALLENGE_DOCUMENT 0x4033
#define SHIELD_ERR_FORM_EMPTY 0x4040
#define SHIELD_ERR_FORM_FIELD 0x4041
#define SHIELD_ERR_SIGNATURE_WRONG 0x5001
#define SHIELD_ERR_SIGNATURE_MALFORMED 0x5002
#define SHIELD_ERR_MESSAGE_TRUNCATED 0x5010
#define SHIELD_ERR_MESSAGE_TYPE 0x5011
#define SHIELD_ERR_PROFILE_MALFORMED 0x6001
#define SHIELD_ERR_PROFILE_SCHEMA 0x6002
#define SHIELD_ERR_PROFILE_KEY 0x6003
#define SHIELD_ERR_PROFILE_BUILTIN 0x6004
#define SHIELD_ERR_INPUT_FAILED 0x7001
#define SHIELD_ERR_OUTPUT_FAILED 0x7002
#define SHIELD_ERR_JOURNAL_FOREIGN 0x7003
#define SHIELD_ERR_JOURNAL_BUSY 0x7004
#define SHIELD_ERR_JOURNAL_FULL 0x7005
#define SHIELD_ERR_UNSUPPORTED 0x9001
#define SHIELD_ERR_ARGUMENT 0x9002
#define SHIELD_ERR_DEFECT 0x9003
#define SHIELD_ERR_BUFFER_TOO_SHORT 0x9004
#define SHIELD_ERR_NULL_POINTER 0x9005
#define SHIELD_ERR_HANDLE_INVALID 0x9006
#define SHIELD_ERR_HANDLES_USED_UP 0x9007
#define SHIELD_ERR_STRUCT_UNKNOWN 0x9008
#define SHIELD_ERR_NAME_LENGTH 0x9009

/* How functions and dialogs are called: cdecl, which is only one of several ways on 32-bit Windows. */
#ifdef _WIN32
#define SHIELD_CALL __cdecl
#else
#define SHIELD_CALL
#endif

/* The initialiser of a shield_text from a literal. */
#define SHIELD_TEXT(literal) { (literal), sizeof(literal) - 1 }


// `SHIELD_ROLE_*`.
#define SHIELD_BATCH_ROLE 1

// Signatures that the policy still allows; 0 when the batch has ended.
#define SHIELD_BATCH_SIGNATURES_LEFT 2

// `SHIELD_ROLE_*`, 0 where no rule gives it one.
#define SHIELD_CREDENTIAL_ROLE 1

// `SHIELD_STANDING_*`.
#define SHIELD_CREDENTIAL_STANDING 2

// First moment of validity, seconds since 1970 UTC.
#define SHIELD_CREDENTIAL_NOT_BEFORE 3

// Last moment of validity, seconds since 1970 UTC.
#define SHIELD_CREDENTIAL_NOT_AFTER 4

// By how many ways its key is reached.
#define SHIELD_CREDENTIAL_ROUTES 5

// SHA-256 fingerprint, 64 hex digits.
#define SHIELD_CREDENTIAL_FINGERPRINT 20

// The certificate number as customs writes it (certNo).
#define SHIELD_CREDENTIAL_NUMBER 21

// Why it serves or not, in one clause.
#define SHIELD_CREDENTIAL_REASON 22

// Number and issuer: a name without a person's data.
#define SHIELD_CREDENTIAL_LABEL 23

// What is reached: the kind (`pkcs11`, or the card's, such as `piv`), and the names that tell it from others.
#define SHIELD_ROUTE_DOOR 1

// The name under which a scan finds this certificate again without looking at every other (`shield_scan_options.reference`). It may be stored:
// it holds no secret.
#define SHIELD_ROUTE_REFERENCE 2

// Not known to this version of the header.
#define SHIELD_STANDING_OTHER 0

// It serves its role.
#define SHIELD_STANDING_SERVES 1

// A later certificate of the same holder, organisation and card serves in its place.
#define SHIELD_STANDING_SUPERSEDED 2

// Expired, or not valid yet.
#define SHIELD_STANDING_OUTSIDE_VALIDITY 3

// The encryption certificate of the dual-certificate scheme.
#define SHIELD_STANDING_ENCRYPTION 4

// Its key usage is not for signatures, or it is a CA certificate.
#define SHIELD_STANDING_NOT_FOR_SIGNING 5

// No rule gives it a role.
#define SHIELD_STANDING_NO_ROLE 6

// The serial number that names it to people.
#define SHIELD_DEVICE_SERIAL 1

// Manufacturer and model of its first token.
#define SHIELD_DEVICE_MODEL 2

// The result code.
#define SHIELD_ERROR_CODE 1

// `SHIELD_ROLE_*` that is concerned.
#define SHIELD_ERROR_ROLE 2

// What a person can do now: `SHIELD_RECOVERY_*`.
#define SHIELD_ERROR_RECOVERY 3

// `SHIELD_TRIES_*`.
#define SHIELD_ERROR_TRIES 4

// The number of tries that belongs to it.
#define SHIELD_ERROR_TRIES_LEFT 5

// Joins error, receipt and log; 0 where the error belongs to no call of a shield.
#define SHIELD_ERROR_CORRELATION 6

// How many certificates were looked at.
#define SHIELD_ERROR_CANDIDATES 7

// One sentence in English: what happened, what to do now, and the facts.
#define SHIELD_ERROR_MESSAGE 20

// The sentence in Chinese.
#define SHIELD_ERROR_MESSAGE_ZH 21

// The short code to read over the phone, such as `SH-2001`.
#define SHIELD_ERROR_SHORT_CODE 22

// The name of the kind, such as `PinIncorrect`.
#define SHIELD_ERROR_KIND 23

// Where it happened.
#define SHIELD_ERROR_OPERATION 24

// The raw status as the token or the system gave it, such as `CKR_PIN_INCORRECT`; empty where there was none.
#define SHIELD_ERROR_STATUS 25

// What exactly was met; may be empty.
#define SHIELD_ERROR_DETAIL 26

// Number and issuer of a certificate that was looked at.
#define SHIELD_CANDIDATE_LABEL 1

// Its SHA-256 fingerprint.
#define SHIELD_CANDIDATE_FINGERPRINT 2

// Why it serves or not.
#define SHIELD_CANDIDATE_REASON 3

// Nothing that a user can do.
#define SHIELD_RECOVERY_NONE 0

// Plug the shield in.
#define SHIELD_RECOVERY_INSERT_SHIELD 1

// Enter the PIN of the role in `SHIELD_ERROR_ROLE`.
#define SHIELD_RECOVERY_ENTER_PIN 2

// Go to the office that issued the certificate of that role.
#define SHIELD_RECOVERY_UNLOCK_AT_ISSUER 3

// Let the other program finish, or close it.
#define SHIELD_RECOVERY_CLOSE_OTHER_PROGRAM 4

// Install or repair the driver.
#define SHIELD_RECOVERY_INSTALL_DRIVER 5

// Start the smart-card service.
#define SHIELD_RECOVERY_START_PCSCD 6

// Renew the certificate, or choose another.
#define SHIELD_RECOVERY_RENEW_CERTIFICATE 7

// Correct the document, the profile or the arguments.
#define SHIELD_RECOVERY_FIX_DOCUMENT 8

// Try again.
#define SHIELD_RECOVERY_RETRY 9

// Ask the administrator of this computer for a right.
#define SHIELD_RECOVERY_ASK_ADMINISTRATOR 10

// Choose another new PIN or unlock code.
#define SHIELD_RECOVERY_CHOOSE_NEW_PIN 11

// `SHIELD_ROLE_*`.
#define SHIELD_RECEIPT_ROLE 1

// When, seconds since 1970 UTC.
#define SHIELD_RECEIPT_TIME 2

// `SHIELD_TRIES_*`.
#define SHIELD_RECEIPT_TRIES 3

// The number of tries that belongs to it.
#define SHIELD_RECEIPT_TRIES_LEFT 4

// Joins receipt, error and log.
#define SHIELD_RECEIPT_CORRELATION 5

// How many remarks there are.
#define SHIELD_RECEIPT_NOTES 6

// The format's name.
#define SHIELD_RECEIPT_FORMAT 20

// SHA-256 fingerprint of the certificate.
#define SHIELD_RECEIPT_FINGERPRINT 21

// The certificate's number (certNo).
#define SHIELD_RECEIPT_NUMBER 22

// The signature suite, such as `rsa-sha1`.
#define SHIELD_RECEIPT_SUITE 23

// What was signed: hex digits of the digest.
#define SHIELD_RECEIPT_DIGEST 24

// SHA-256 of the text that was shown to the person, hex digits.
#define SHIELD_RECEIPT_SHOWN 25

// The door through which the token was reached.
#define SHIELD_RECEIPT_DOOR 26

// English.
#define SHIELD_LANGUAGE_EN 0

// Chinese.
#define SHIELD_LANGUAGE_ZH 1

// `SHIELD_VERDICT_*`.
#define SHIELD_REPORT_VERDICT 1

// How many findings there are.
#define SHIELD_REPORT_FINDINGS 2

// The format's name.
#define SHIELD_REPORT_FORMAT 20

// The signature suite, such as `rsa-sha1`; empty where it was not recognised.
#define SHIELD_REPORT_SUITE 21

// SHA-256 fingerprint of the signer's certificate; empty where none was found.
#define SHIELD_REPORT_SIGNER_FINGERPRINT 22

// The number of the signer's certificate; empty where none was found.
#define SHIELD_REPORT_SIGNER_NUMBER 23

// All of the report as one line of JSON: format, verdict, suite, signer, and the findings with what was expected, found, where and what to do.
#define SHIELD_REPORT_JSON 24

// Something is wrong: see the findings.
#define SHIELD_VERDICT_INVALID 0

// Signature, digest, certificate, trust and role are right.
#define SHIELD_VERDICT_VALID 1

// The signature is right, but nobody said whom to trust: nothing is said of who signed.
#define SHIELD_VERDICT_SIGNATURE_ONLY 2

// `SHIELD_SEVERITY_*`.
#define SHIELD_FINDING_SEVERITY 1

// Line from 1; 0 where no place is known.
#define SHIELD_FINDING_LINE 2

// Octet from 0; -1 where no place is known.
#define SHIELD_FINDING_OFFSET 3

// The short code, such as `VF-101`.
#define SHIELD_FINDING_CODE 20

// What it means and what to do, in English.
#define SHIELD_FINDING_TEXT 21

// The same in Chinese.
#define SHIELD_FINDING_TEXT_ZH 22

// What exactly; may be empty.
#define SHIELD_FINDING_DETAIL 23

// What was expected; may be empty.
#define SHIELD_FINDING_EXPECTED 24

// What was found; may be empty.
#define SHIELD_FINDING_FOUND 25

// All of it in one English line.
#define SHIELD_FINDING_LINE_OF_TEXT 26

// What to do, in English; empty where there is nothing to do.
#define SHIELD_FINDING_ADVICE 27

// The same in Chinese.
#define SHIELD_FINDING_ADVICE_ZH 28

// All of it in one Chinese line.
#define SHIELD_FINDING_LINE_OF_TEXT_ZH 29

// The name of the kind, such as `NewlineAdded`.
#define SHIELD_FINDING_KIND 30

// `SHIELD_FINDING_DETAIL` in Chinese.
#define SHIELD_FINDING_DETAIL_ZH 31

// `SHIELD_FINDING_EXPECTED` in Chinese.
#define SHIELD_FINDING_EXPECTED_ZH 32

// `SHIELD_FINDING_FOUND` in Chinese.
#define SHIELD_FINDING_FOUND_ZH 33

// Good to know.
#define SHIELD_SEVERITY_INFO 1

// Accepted, but something is odd.
#define SHIELD_SEVERITY_WARNING 2

// The document must not be accepted.
#define SHIELD_SEVERITY_WRONG 3

// The version of this interface. It grows when something is added; what is there keeps its meaning.
#define SHIELD_ABI_VERSION 1

// No role, or any.
#define SHIELD_ROLE_NONE 0

// The customs identity (e-port): declarations.
#define SHIELD_ROLE_CUSTOMS 1

// Online banking: payments. Roles are bits, so that a PIN that opens both is 3.
#define SHIELD_ROLE_BANK 2

// A customs message (CEBxxxMessage) with an enveloped XML signature; role customs.
#define SHIELD_FORMAT_DECLARATION 1

// A detached signature over the octets as they are; the request says which role.
#define SHIELD_FORMAT_RAW 2

// CMS SignedData over a payment order; role bank. `variant`: an OR of `SHIELD_CMS_*`.
#define SHIELD_FORMAT_PAYMENT 3

// The payment message of customs announcement 179; role customs. `variant`: one of `SHIELD_179_*`.
#define SHIELD_FORMAT_PAYMENT_179 4

// The document stays outside the message.
#define SHIELD_CMS_DETACHED 1

// No signed attributes: neither time nor certificate are signed then.
#define SHIELD_CMS_WITHOUT_ATTRIBUTES 2

// PEM in place of DER.
#define SHIELD_CMS_PEM 4

// The value of the form field `payExInfoStr`.
#define SHIELD_179_VALUE 0

// The whole body of the POST, percent-encoded.
#define SHIELD_179_FORM 1

// The signature value alone, in base64.
#define SHIELD_179_SIGNATURE 2

// No risky try of a PIN is spent.
#define SHIELD_CONSENT_NONE 0

// A person said: try although a PIN was refused before and the token does not tell how many tries are left.
#define SHIELD_CONSENT_AFTER_REFUSAL 1

// A person said: try although this is the last try.
#define SHIELD_CONSENT_LAST_TRY 2

// Sign although the certificate has expired or is not valid yet; the receipt says so.
#define SHIELD_FLAG_OUTSIDE_VALIDITY 1

// No PIN was concerned.
#define SHIELD_TRIES_NONE 0

// The token counts: so many are left.
#define SHIELD_TRIES_KNOWN 1

// At least so many are left.
#define SHIELD_TRIES_AT_LEAST 2

// The next wrong PIN locks.
#define SHIELD_TRIES_FINAL 3

// Locked: only the issuing office can unlock.
#define SHIELD_TRIES_LOCKED 4

// The token does not tell.
#define SHIELD_TRIES_UNKNOWN 5

// The token does not tell, and a wrong PIN was entered since the last right one.
#define SHIELD_TRIES_UNKNOWN_AFTER_REFUSAL 6

// Nobody entered a PIN: the dialog was closed.
#define SHIELD_PIN_DECLINED 0

// The PIN is in the buffer.
#define SHIELD_PIN_TYPED 1

// The PIN is typed on the device itself.
#define SHIELD_PIN_ON_DEVICE 2

// The size of the buffer that a dialog fills: no PIN is longer.
#define SHIELD_PIN_MAX 64

// The computer's readers where no module is named, and the modules alone where one is.
#define SHIELD_READERS_DEFAULT 0

// The computer's readers, beside the modules.
#define SHIELD_READERS_ON 1

// The modules alone.
#define SHIELD_READERS_OFF 2

// A person said that a PIN may be sent to a GM/T 0017 device in the dialect that the profile names although that device has never accepted one
// in it. A wrong dialect costs a try like a wrong PIN; with fewer than three left none is sent in spite of it.
#define SHIELD_SCAN_TRY_UNPROVEN_DIALECTS 1

// An unlocked role: one PIN entry, many signatures.
typedef struct shield_batch shield_batch;

// Octets that the library owns.
typedef struct shield_bytes shield_bytes;

// One certificate of a shield, as it stood when it was listed.
typedef struct shield_credential shield_credential;

// One shield: a USB key or card.
typedef struct shield_device shield_device;

// Who signed what with what.
typedef struct shield_receipt shield_receipt;

// The findings of a verification.
typedef struct shield_report shield_report;

// What a scan found: shields, and problems with readers, drivers and tokens.
typedef struct shield_scan shield_scan;

// What went wrong.
typedef struct shield_error shield_error;

// UTF-8 text: a pointer and a length in octets, without a NUL. NULL with length 0 is "not given".
typedef struct shield_text {
    // The first octet.
    const char *data;
    // How many octets; a NUL that ends the text does not count.
    size_t length;
} shield_text;

// Chooses among shields and certificates. Everything that is set must fit; NULL or all zero fits any.
typedef struct shield_selector {
    // `sizeof(shield_selector)`.
    size_t struct_size;
    // Has a certificate for this role.
    uint32_t role;
    // SHA-256 fingerprint of the certificate, 64 hex digits.
    struct shield_text fingerprint;
    // Unit code in the certificate.
    struct shield_text entity_code;
    // Card number in the certificate.
    struct shield_text card_number;
} shield_selector;

// What one PIN entry shall open.
typedef struct shield_unlock_options {
    // `sizeof(shield_unlock_options)`.
    size_t struct_size;
    // The role.
    uint32_t role;
    // `SHIELD_CONSENT_*`.
    uint32_t consent;
    // An OR of `SHIELD_FLAG_*`.
    uint32_t flags;
    // How long the call may take, in milliseconds, without the time a person types; 0 is 10 seconds.
    uint32_t wait_ms;
    // How many signatures; 0 is what the profile allows (customs 5000, bank 1).
    uint32_t signatures;
    // How many seconds from now; 0 is what the profile allows.
    uint32_t lifetime_s;
    // How many seconds without a signature; 0 is what the profile allows.
    uint32_t idle_s;
    // The text that the PIN dialog shows; may be left out.
    struct shield_text shown;
    // The certificate; may be NULL: then the one that serves the role.
    const struct shield_credential *credential;
    // Chooses where several certificates fit; may be NULL.
    const struct shield_selector *selector;
} shield_unlock_options;

// Octets: a pointer and a length. NULL with length 0 is "not given".
typedef struct shield_octets {
    // The first octet.
    const uint8_t *data;
    // How many.
    size_t length;
} shield_octets;

// What a PIN dialog shows. It lives for the length of the callback.
typedef struct shield_pin_question {
    // `sizeof(shield_pin_question)` as the library was built.
    size_t struct_size;
    // The role whose PIN is asked for.
    uint32_t role;
    // Roles that the same PIN opens besides, as an OR: name them, the tries count once.
    uint32_t also_opens;
    // `SHIELD_TRIES_*`.
    uint32_t tries;
    // The number that belongs to it, otherwise 0.
    uint32_t tries_left;
    // Not 0: the PIN is typed on the device, answer `SHIELD_PIN_ON_DEVICE`.
    uint32_t on_device;
    // What will be signed: UTF-8, ends with NUL.
    const char *summary;
    // Its length in octets without the NUL.
    size_t summary_length;
} shield_pin_question;

// A PIN dialog. It writes at most `capacity` octets to `buffer` and their number to `length`, and gives `SHIELD_PIN_*`. The
// buffer is wiped afterwards; so should be the dialog's own. It may call the library. No C++ exception and no longjmp may
// leave it.
typedef uint32_t (SHIELD_CALL *shield_pin_callback)(void *userdata,
                                                    const struct shield_pin_question *question,
                                                    uint8_t *buffer,
                                                    size_t capacity,
                                                    size_t *length);

// Where a PIN comes from: `octets`, or `ask` with `userdata`. A PIN is used for one entry and never kept but in a batch.
typedef struct shield_pin {
    // `sizeof(shield_pin)`.
    size_t struct_size;
    // The PIN itself.
    struct shield_octets octets;
    // A dialog, asked once for each entry.
    shield_pin_callback ask;
    // Given to the dialog.
    void *userdata;
} shield_pin;

// What to sign, in which form, as whom.
typedef struct shield_request {
    // `sizeof(shield_request)`.
    size_t struct_size;
    // One of `SHIELD_FORMAT_*`. Most formats have a role of their own.
    uint32_t format;
    // The role that signs, where the format leaves it open; otherwise 0 or the format's own.
    uint32_t role;
    // The form within the format, 0 for the usual one.
    uint32_t variant;
    // `SHIELD_CONSENT_*`.
    uint32_t consent;
    // An OR of `SHIELD_FLAG_*`.
    uint32_t flags;
    // How long the call may take, in milliseconds, without the time a person types; 0 is 10 seconds.
    uint32_t wait_ms;
    // The document itself, or
    struct shield_octets document;
    // the path of its file.
    struct shield_text document_path;
    // The text that the PIN dialog shows and whose digest the receipt carries; may be left out.
    struct shield_text shown;
    // The certificate to sign with; may be NULL: then the one that serves the role.
    const struct shield_credential *credential;
    // Chooses where several certificates fit; may be NULL.
    const struct shield_selector *selector;
} shield_request;

// A list of texts.
typedef struct shield_text_list {
    // The first.
    const struct shield_text *data;
    // How many.
    size_t count;
} shield_text_list;

// Drivers, readers and rules for a scan. With all zero it looks at the computer's readers (PC/SC). Cards and keys that the library knows itself
// need no module.
typedef struct shield_scan_options {
    // `sizeof(shield_scan_options)`.
    size_t struct_size;
    // Absolute paths of PKCS#11 modules; none is fine.
    struct shield_text_list modules;
    // A profile file that extends the built-in rules; may be left out.
    struct shield_text profile_path;
    // How long the scan may take, in milliseconds; 0 is 10 seconds.
    uint32_t wait_ms;
    // Looks for this one certificate only (see `SHIELD_ROUTE_REFERENCE`): on a card no other is read. May be left out.
    struct shield_text reference;
    // `SHIELD_READERS_*`.
    uint32_t readers;
    // An OR of `SHIELD_SCAN_*`.
    size_t flags;
} shield_scan_options;

// A list of octet strings.
typedef struct shield_octets_list {
    // The first.
    const struct shield_octets *data;
    // How many.
    size_t count;
} shield_octets_list;

// How a document is to be judged.
typedef struct shield_verify_options {
    // `sizeof(shield_verify_options)`.
    size_t struct_size;
    // One of `SHIELD_FORMAT_*`.
    uint32_t format;
    // The role that the signer must have; 0 accepts any certificate.
    uint32_t role;
    // The document itself (with its signature, where the format encloses it), or
    struct shield_octets document;
    // the path of its file.
    struct shield_text document_path;
    // A detached signature.
    struct shield_octets signature;
    // The signer's certificate, PEM or DER, where the document does not carry it; of several in PEM the first. Where the document
    // carries one, it must be the same (`VF-123`).
    struct shield_octets certificate;
    // Trusted issuers. Each entry is DER with one, or PEM with any number: all of them count.
    struct shield_octets_list anchors;
    // Trusted certificates by SHA-256 fingerprint, in place of issuers. Neither: trust is not judged.
    struct shield_text_list pinned;
    // A profile file that extends the built-in rules; may be left out.
    struct shield_text profile_path;
    // Not 0: validity is judged at `at`, otherwise now.
    uint32_t at_given;
    // Seconds since 1970 UTC.
    int64_t at;
    // Certificates of authorities between `anchors` and the signer, in the same form: they are trusted in nothing, and help to build a chain. They
    // belong to `anchors`.
    struct shield_octets_list between;
    // Revocation lists; each entry is DER with one, or PEM with any number. Where the list is given, each certificate below an anchor has to be
    // covered by a current one. They belong to `anchors`.
    struct shield_octets_list crls;
} shield_verify_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Asks for the PIN once, checks it on the token, and keeps it for many signatures until `shield_batch_end`, or until its
// policy or a refused PIN ends it.
uint32_t SHIELD_CALL shield_unlock(const struct shield_device *device,
                                   const struct shield_unlock_options *options,
                                   const struct shield_pin *pin,
                                   struct shield_batch **batch,
                                   struct shield_error **error);

// Signs one document of a batch.
uint32_t SHIELD_CALL shield_batch_sign(const struct shield_batch *batch,
                                       const struct shield_request *request,
                                       struct shield_bytes **signed_bytes,
                                       struct shield_receipt **receipt,
                                       struct shield_error **error);

// Signs one document of a batch into a file. The file is there whole, or what was there before is untouched.
uint32_t SHIELD_CALL shield_batch_sign_file(const struct shield_batch *batch,
                                            const struct shield_request *request,
                                            const char *path,
                                            size_t path_length,
                                            struct shield_receipt **receipt,
                                            struct shield_error **error);

// A number of a batch: `SHIELD_BATCH_*`.
uint32_t SHIELD_CALL shield_batch_number(const struct shield_batch *batch, uint32_t field, int64_t *value);

// Ends a batch and frees it: the login is over and the PIN wiped as soon as no other thread is signing with it.
uint32_t SHIELD_CALL shield_batch_end(struct shield_batch *batch);

// How many octets there are.
uint32_t SHIELD_CALL shield_bytes_length(const struct shield_bytes *bytes, size_t *length);

// Copies the octets. There is no NUL at the end.
uint32_t SHIELD_CALL shield_bytes_copy(const struct shield_bytes *bytes,
                                       uint8_t *buffer,
                                       size_t capacity,
                                       size_t *needed);

// Frees the octets.
uint32_t SHIELD_CALL shield_bytes_free(struct shield_bytes *bytes);

// A number of a certificate: `SHIELD_CREDENTIAL_ROLE` to `SHIELD_CREDENTIAL_ROUTES`.
uint32_t SHIELD_CALL shield_credential_number(const struct shield_credential *credential,
                                              uint32_t field,
                                              int64_t *value);

// A text of a certificate: `SHIELD_CREDENTIAL_FINGERPRINT` to `SHIELD_CREDENTIAL_LABEL`.
uint32_t SHIELD_CALL shield_credential_text(const struct shield_credential *credential,
                                            uint32_t field,
                                            char *buffer,
                                            size_t capacity,
                                            size_t *needed);

// A text of one of the ways to a certificate's key, in the order in which they are tried: `SHIELD_ROUTE_*`.
uint32_t SHIELD_CALL shield_credential_route(const struct shield_credential *credential,
                                             size_t index,
                                             uint32_t field,
                                             char *buffer,
                                             size_t capacity,
                                             size_t *needed);

// The certificate itself, in DER. It holds a person's name.
uint32_t SHIELD_CALL shield_credential_certificate(const struct shield_credential *credential,
                                                   struct shield_bytes **der);

// Frees a certificate.
uint32_t SHIELD_CALL shield_credential_free(struct shield_credential *credential);

// A text of a shield: `SHIELD_DEVICE_*`.
uint32_t SHIELD_CALL shield_device_text(const struct shield_device *device,
                                        uint32_t field,
                                        char *buffer,
                                        size_t capacity,
                                        size_t *needed);

// How many certificates it holds, those that serve no role included.
uint32_t SHIELD_CALL shield_device_credential_count(const struct shield_device *device, size_t *count);

// A certificate by its place, from 0, as it stands now.
uint32_t SHIELD_CALL shield_device_credential_at(const struct shield_device *device,
                                                 size_t index,
                                                 struct shield_credential **credential);

// The certificate that serves a role, or an error that lists all with the reason for each. The selector must name the role.
uint32_t SHIELD_CALL shield_device_credential(const struct shield_device *device,
                                              const struct shield_selector *selector,
                                              struct shield_credential **credential,
                                              struct shield_error **error);

// Frees a shield. Batches that were opened on it stay.
uint32_t SHIELD_CALL shield_device_free(struct shield_device *device);

// A number of an error: `SHIELD_ERROR_CODE` to `SHIELD_ERROR_CANDIDATES`.
uint32_t SHIELD_CALL shield_error_number(const struct shield_error *error, uint32_t field, int64_t *value);

// A text of an error: `SHIELD_ERROR_MESSAGE` to `SHIELD_ERROR_DETAIL`.
uint32_t SHIELD_CALL shield_error_text(const struct shield_error *error,
                                       uint32_t field,
                                       char *buffer,
                                       size_t capacity,
                                       size_t *needed);

// A text of a certificate that was looked at: `SHIELD_CANDIDATE_*`.
uint32_t SHIELD_CALL shield_error_candidate(const struct shield_error *error,
                                            size_t index,
                                            uint32_t field,
                                            char *buffer,
                                            size_t capacity,
                                            size_t *needed);

// A text for a result code alone, for calls that give no error object: `SHIELD_ERROR_MESSAGE`, `SHIELD_ERROR_MESSAGE_ZH`,
// `SHIELD_ERROR_SHORT_CODE` or `SHIELD_ERROR_KIND`.
uint32_t SHIELD_CALL shield_code_text(uint32_t code,
                                      uint32_t field,
                                      char *buffer,
                                      size_t capacity,
                                      size_t *needed);

// Frees an error.
uint32_t SHIELD_CALL shield_error_free(struct shield_error *error);

// A number of a receipt: `SHIELD_RECEIPT_ROLE` to `SHIELD_RECEIPT_NOTES`.
uint32_t SHIELD_CALL shield_receipt_number(const struct shield_receipt *receipt,
                                           uint32_t field,
                                           int64_t *value);

// A text of a receipt: `SHIELD_RECEIPT_FORMAT` to `SHIELD_RECEIPT_DOOR`.
uint32_t SHIELD_CALL shield_receipt_text(const struct shield_receipt *receipt,
                                         uint32_t field,
                                         char *buffer,
                                         size_t capacity,
                                         size_t *needed);

// A remark that the caller should know, such as a weak key; `language` is `SHIELD_LANGUAGE_*`.
uint32_t SHIELD_CALL shield_receipt_note(const struct shield_receipt *receipt,
                                         size_t index,
                                         uint32_t language,
                                         char *buffer,
                                         size_t capacity,
                                         size_t *needed);

// Frees a receipt.
uint32_t SHIELD_CALL shield_receipt_free(struct shield_receipt *receipt);

// A number of a report: `SHIELD_REPORT_VERDICT`, `SHIELD_REPORT_FINDINGS`.
uint32_t SHIELD_CALL shield_report_number(const struct shield_report *report, uint32_t field, int64_t *value);

// A text of a report: `SHIELD_REPORT_FORMAT` to `SHIELD_REPORT_JSON`.
uint32_t SHIELD_CALL shield_report_text(const struct shield_report *report,
                                        uint32_t field,
                                        char *buffer,
                                        size_t capacity,
                                        size_t *needed);

// A number of a finding: `SHIELD_FINDING_SEVERITY` to `SHIELD_FINDING_OFFSET`.
uint32_t SHIELD_CALL shield_report_finding_number(const struct shield_report *report,
                                                  size_t index,
                                                  uint32_t field,
                                                  int64_t *value);

// A text of a finding: `SHIELD_FINDING_CODE` to `SHIELD_FINDING_FOUND_ZH`.
uint32_t SHIELD_CALL shield_report_finding_text(const struct shield_report *report,
                                                size_t index,
                                                uint32_t field,
                                                char *buffer,
                                                size_t capacity,
                                                size_t *needed);

// Frees a report.
uint32_t SHIELD_CALL shield_report_free(struct shield_report *report);

// Looks for shields in the readers and behind the modules that are named. It takes no PIN. A reader, card, driver or token that
// fails is a problem of the result and hides no other.
uint32_t SHIELD_CALL shield_scan_new(const struct shield_scan_options *options,
                                     struct shield_scan **scan,
                                     struct shield_error **error);

// How many shields were found.
uint32_t SHIELD_CALL shield_scan_count(const struct shield_scan *scan, size_t *count);

// How many readers, cards, drivers or tokens failed.
uint32_t SHIELD_CALL shield_scan_problem_count(const struct shield_scan *scan, size_t *count);

// Why one of them failed.
uint32_t SHIELD_CALL shield_scan_problem(const struct shield_scan *scan,
                                         size_t index,
                                         struct shield_error **problem);

// Frees a scan. Shields that were opened from it stay.
uint32_t SHIELD_CALL shield_scan_free(struct shield_scan *scan);

// Opens the one shield that fits the selector; with NULL the only shield there is.
uint32_t SHIELD_CALL shield_open(const struct shield_scan *scan,
                                 const struct shield_selector *selector,
                                 struct shield_device **device,
                                 struct shield_error **error);

// Opens a shield by its place, from 0.
uint32_t SHIELD_CALL shield_open_at(const struct shield_scan *scan,
                                    size_t index,
                                    struct shield_device **device,
                                    struct shield_error **error);

// Signs one document. The signature was verified with the certificate before it is handed out.
uint32_t SHIELD_CALL shield_sign(const struct shield_device *device,
                                 const struct shield_request *request,
                                 const struct shield_pin *pin,
                                 struct shield_bytes **signed_bytes,
                                 struct shield_receipt **receipt,
                                 struct shield_error **error);

// Signs one document into a file. The file is there whole, or what was there before is untouched.
uint32_t SHIELD_CALL shield_sign_file(const struct shield_device *device,
                                      const struct shield_request *request,
                                      const struct shield_pin *pin,
                                      const char *path,
                                      size_t path_length,
                                      struct shield_receipt **receipt,
                                      struct shield_error **error);

// Verifies a document, or a detached signature over it. What is wrong with it is in the report; an error says that it could
// not be read at all.
uint32_t SHIELD_CALL shield_verify(const struct shield_verify_options *options,
                                   struct shield_report **report,
                                   struct shield_error **error);

// The version of the interface that this library has: at least `SHIELD_ABI_VERSION` of the header that you compiled with,
// or the library is too old for your program.
uint32_t SHIELD_CALL shield_abi_version(uint32_t *version);

// The version of the library, such as `0.1.0`.
uint32_t SHIELD_CALL shield_version(char *buffer, size_t capacity, size_t *needed);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SHARED_SHIELD_H */

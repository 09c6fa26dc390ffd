#!/bin/sh
# Proves the two test modules against judges that we did not write: pkcs11-tool drives, openssl verifies.
# Exit code 0: every check passed. 1: a check failed (named on a FAIL line). 2: could not start.
set -u
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
softhsm=${SOFTHSM_MODULE:-/usr/lib/softhsm/libsofthsm2.so}
shim=$target/debug/libp11shim.so
kryoptic=$target/debug/libkryoptic_module.so

for tool in cargo pkcs11-tool softhsm2-util openssl python3; do
    command -v $tool >/dev/null || { echo "smoke.sh: $tool is missing (apt: opensc softhsm2 openssl python3)" >&2; exit 2; }
done
[ -e "$softhsm" ] || { echo "smoke.sh: $softhsm is missing (apt: softhsm2)" >&2; exit 2; }
cargo build --quiet --locked --manifest-path "$here/Cargo.toml" || exit 2

dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n' "$dir" >softhsm2.conf
export SOFTHSM2_CONF="$dir/softhsm2.conf" SHIM_MODULE="$softhsm" SHIM_LOG="$dir/log" SHIM_CONTROL="$dir/control"
# Marker PINs: long enough that they stand in no log by chance.
export CUSTOMS_PIN=918273645501 BANK_PIN=827364554402

failed=0
check() { # check WHAT COMMAND...
    what=$1; shift
    if "$@" >out 2>&1; then echo "ok   $what"; else echo "FAIL $what"; sed 's/^/     /' out; failed=1; fi
}
refuses() { ! "$@"; }
lines() { [ "$(grep -c -- "$2" log)" = "$1" ] || { echo "not $1 lines with '$2' in:"; cat log; false; }; } # lines COUNT PATTERN
control() { printf '%s\n' "$@" >control.new && mv control.new control; }
quiet() { control ''; : >log; }
tool() { pkcs11-tool --module "$shim" "$@"; }
sign() { rm -f sig; tool --token-label 'test customs' --login --pin $CUSTOMS_PIN --sign -m ECDSA --id 01 -i digest -o sig --signature-format openssl; }
verify() { openssl pkeyutl -verify -pubin -inkey pub.der -keyform DER -in digest -sigfile sig; } # the judge

echo "# shim over SoftHSM"
quiet
softhsm2-util --init-token --free --label 'test customs' --so-pin 00000000 --pin $CUSTOMS_PIN >/dev/null || exit 2
softhsm2-util --init-token --free --label bank --so-pin 00000000 --pin $BANK_PIN >/dev/null || exit 2
head -c 32 /dev/urandom >digest
for n in one two; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj "/CN=$n" -outform DER -out $n.der 2>/dev/null || exit 2; done

check "key generation is forwarded" tool --token-label 'test customs' --login --pin $CUSTOMS_PIN --keypairgen --key-type EC:prime256v1 --id 01
check "a certificate is written" tool --token-label 'test customs' --login --pin $CUSTOMS_PIN --write-object one.der --type cert --id 01
check "the public key is read" tool --token-label 'test customs' --read-object --type pubkey --id 01 -o pub.der

quiet
check "a forwarded login and signature" sign
check "openssl accepts it" verify
hash=$(printf %s $CUSTOMS_PIN | sha256sum | cut -d' ' -f1)
check "one C_Login, with the PIN's hash and the token's name" lines 1 "^C_Login slot=[0-9]* token=test%20customs session=[0-9]* user=1 len=12 sha256=$hash rv=0x0 pid=[0-9]*$"
check "and no other C_Login" lines 1 '^C_Login '
check "one signature" lines 1 '^C_Sign .* in=32 out=64 rv=0x0'
check "one C_SignInit with CKM_ECDSA" lines 1 '^C_SignInit .* mech=0x1041 '
check "one C_Initialize, one C_Finalize" lines 2 '^C_\(Initi\|Fin\)alize slot=- token=- rv=0x0'
check "sessions are closed" lines 1 '^C_Close\(Session\|AllSessions\) .* rv=0x0'
check "the PIN is not in the log" refuses grep -F -e $CUSTOMS_PIN -e "$(printf %s $CUSTOMS_PIN | od -An -tx1 | tr -d ' \n')" log
check "a wrong PIN is logged as refused" refuses tool --token-label bank --login --pin $CUSTOMS_PIN -O
check "with the hash that tells whose PIN it was" lines 1 "^C_Login .* token=bank .* sha256=$hash rv=0xa0"

control flip-signature
check "with flip-signature the module still says OK" sign
check "openssl refuses that signature" refuses verify
check "the log names the rule" lines 1 '^C_Sign .* fault=flip-signature rv=0x0'
control 'flip-signature token=bank'
check "flip-signature for the other token leaves this one alone" sign
check "openssl accepts that one" verify

quiet; control 'rv C_Login 0xa3'
check "rv: the login is refused" refuses sign
check "rv: the log names the rule" lines 1 '^C_Login .* fault=rv rv=0xa3'
quiet; control 'delay C_Sign 30ms'
check "delay: the signature comes all the same" sign
check "delay: and is good" verify
check "delay: the log names the rule" lines 1 '^C_Sign .* fault=delay rv=0x0'

control 'flags-or 0x40000 token=test%20customs'
tool -L >list 2>&1
check "flags-or: one of two tokens looks locked" test "$(grep -c 'user PIN locked' list)" = 1
control ''
tool -L >list 2>&1
check "the wrong PIN above left SoftHSM's COUNT_LOW" test "$(grep -c 'user PIN count low' list)" = 1
control flags-clear
tool -L >list 2>&1
check "flags-clear hides it" test "$(grep -c 'user PIN count low' list)" = 0
control 'serial SHIELD0001 token=test%20customs' 'serial SHIELD0001 token=bank'
tool -L >list 2>&1
check "serial: two tokens look like one card" test "$(grep -c 'serial num *: SHIELD0001$' list)" = 2
control "swap-cert $dir/two.der"
check "swap-cert: a certificate is read" tool --token-label 'test customs' --read-object --type cert --id 01 -o read.der
check "swap-cert: it is the other one" cmp read.der two.der
control ''
check "without the rule: a certificate is read" tool --token-label 'test customs' --read-object --type cert --id 01 -o read.der
check "without the rule: it is the real one" cmp read.der one.der
check "a module that is not there fails with its name" sh -c "SHIM_MODULE=/no/such.so pkcs11-tool --module '$shim' -L 2>&1 | grep 'p11shim: SHIM_MODULE /no/such.so'"
check "a log that cannot be written fails with its name" sh -c "SHIM_LOG=/no/such/log pkcs11-tool --module '$shim' -L 2>&1 | grep 'p11shim: SHIM_LOG /no/such/log'"

echo "# hostile answers, over the C functions"
quiet
python3 "$here/checks.py" hostile "$shim" "$dir" || failed=1
check "no PIN in the log of all that" refuses grep -F -e $CUSTOMS_PIN -e $BANK_PIN log

echo "# kryoptic"
printf '[[slots]]\nslot = 1\ndbtype = "sqlite"\ndbargs = "%s/token1.sql"\n' "$dir" >kryoptic.conf
export KRYOPTIC_CONF="$dir/kryoptic.conf"
k() { pkcs11-tool --module "$kryoptic" --slot 1 "$@"; }
check "kryoptic: the token is initialised" k --init-token --label 'test customs' --so-pin 12345678
check "kryoptic: a PIN is set" k --login --login-type so --so-pin 12345678 --init-pin --new-pin $CUSTOMS_PIN
check "kryoptic: a key is made" k --login --pin $CUSTOMS_PIN --keypairgen --key-type EC:prime256v1 --id 01
# Without the login pkcs11-tool 0.23 says "cannot create EVP_PKEY", although the module gives it the same octets.
check "kryoptic: its public key is read" k --login --pin $CUSTOMS_PIN --read-object --type pubkey --id 01 -o pub.der
export SHIM_MODULE="$kryoptic"; quiet
check "kryoptic behind the shim signs" sign
check "kryoptic: openssl accepts it" verify
head -c 32 /dev/urandom >digest
check "kryoptic: openssl refuses it for another digest" refuses verify
check "kryoptic behind the shim: one login counted" lines 1 "^C_Login .* token=test%20customs .* sha256=$hash rv=0x0"
python3 "$here/checks.py" kryoptic "$kryoptic" 1 || failed=1

[ $failed = 0 ] && echo "all checks passed" || echo "some checks FAILED"
exit $failed

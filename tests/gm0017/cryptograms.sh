#!/bin/sh
# What GM/T 0017 devices expect of a PIN, made with openssl alone from the description of each dialect. The driver is held to this, as the
# simulator is to payloads.sh: two hands wrote the two, so that one mistake does not serve both.
#
#   cryptograms.sh PIN NEW_PIN RANDOM APP_ID DEVICE_KEY
#
# PIN and NEW_PIN as text, the others in hex: 8 octets, 2 octets, 16 octets. Prints lines of a name and hex:
#   D.key         key that dialect D makes of PIN
#   D.verify      VerifyPIN: the cryptogram
#   D.wrap        ChangePIN, UnblockPIN: NEW_PIN under the key of PIN
#   D.mac_change  MAC of ChangePIN (84 16 00 01), where the dialect has one
#   D.mac_change_admin  the same of the admin PIN (84 16 00 00)
#   D.mac_unblock MAC of UnblockPIN (84 1A 00 00)
#   device_auth   DevAuth: the cryptogram
set -eu
[ $# -eq 5 ] || { echo "usage: $0 PIN NEW_PIN RANDOM APP_ID DEVICE_KEY" >&2; exit 2; }
pin=$1 new=$2 random=$3 app=$4 device=$5

hex() { od -An -v -tx1 | tr -d ' \n'; }
# Hex to octets: printf of plain shells knows octal alone.
raw() {
    for octet in $(printf %s "$1" | sed 's/../& /g'); do printf "\\$(printf %03o "0x$octet")"; done
}
text() { printf %s "$1" | hex; }
# The first octets of a hex text, zeros at its end where it is shorter.
fit() { printf '%s%s' "$1" "$(printf %064d 0)" | cut -c1-$((2 * $2)); }
digest() { raw "$2" | openssl dgst "-$1" -binary | hex | cut -c1-32; }
ecb() { raw "$2" | openssl enc -sm4-ecb -nopad -K "$1" | hex; }
# The last block of CBC over a text that is filled with 80 and zeros; four octets of it.
mac() {
    filled="${3}80"
    while [ $((${#filled} % 32)) -ne 0 ]; do filled="${filled}0"; done
    raw "$filled" | openssl enc -sm4-cbc -nopad -K "$1" -iv "$2" | hex | tail -c 32 | cut -c1-8
}

# syno-2015: SHA1 of the PIN with zeros to 16; the random with zeros; the MAC has Lc as `hi lo 00 00`, and Lc counts the MAC.
key=$(digest sha1 "$(fit "$(text "$pin")" 16)")
wrap=$(ecb "$key" "$(fit "$(text "$new")" 16)")
iv=$(fit "$random" 16)
echo "syno-2015.key $key"
echo "syno-2015.verify $(ecb "$key" "$iv")"
echo "syno-2015.wrap $wrap"
echo "syno-2015.mac_change $(mac "$key" "$iv" "8416000100160000$app$wrap")"
echo "syno-2015.mac_change_admin $(mac "$key" "$iv" "8416000000160000$app$wrap")"
echo "syno-2015.mac_unblock $(mac "$key" "$iv" "841a000000160000$app$wrap")"

# usbtool: SHA1 of the PIN as it is; 08 00, the random, 80, zeros.
block=$(fit "0800${random}80" 16)
key=$(digest sha1 "$(text "$pin")")
echo "usbtool.key $key"
echo "usbtool.verify $(ecb "$key" "$block")"
echo "usbtool.wrap $(ecb "$key" "$(fit "$(text "$new")" 16)")"

# gm3000: SM3 of the PIN as it is; the same block.
key=$(digest sm3 "$(text "$pin")")
echo "gm3000.key $key"
echo "gm3000.verify $(ecb "$key" "$block")"
echo "gm3000.wrap $(ecb "$key" "$(fit "$(text "$new")" 16)")"

echo "device_auth $(ecb "$device" "$iv")"

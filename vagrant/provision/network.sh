# Read by the other scripts. VIP: the balanced address. FRONT: the interface of this host in the clients' network.
# shellcheck shell=sh disable=SC2034
VIP=172.25.60.200
FRONT=$(ip -o -4 addr show | awk '$4 ~ /^172\.25\.60\./ { print $2; exit }')
if [ -z "$FRONT" ]; then
    echo "no interface has an address in 172.25.60.0/24" >&2
    exit 1
fi

#!/bin/sh
# install.sh PROJECT EXECUTABLE: the commands of lvs-ha under the names and at the places their users know.
set -eu
project=$1 executable=$2

mkdir -p /usr/lib/heartbeat /usr/libexec/heartbeat /usr/share/heartbeat /etc/ha.d/resource.d /var/lib/heartbeat
if [ "$executable" != /usr/sbin/lvs-ha ]; then
    ln -sfn "$executable" /usr/sbin/lvs-ha
fi
for link in \
    /usr/sbin/heartbeat /usr/lib/heartbeat/heartbeat /usr/libexec/heartbeat/heartbeat \
    /usr/sbin/ldirectord /usr/sbin/ipvsadm /usr/sbin/ipvsadm-save /usr/sbin/ipvsadm-restore \
    /usr/bin/cl_status \
    /usr/share/heartbeat/hb_standby /usr/share/heartbeat/hb_takeover \
    /usr/sbin/hb_standby /usr/sbin/hb_takeover \
    /usr/share/heartbeat/hb_addnode /usr/share/heartbeat/hb_delnode /usr/share/heartbeat/ha_propagate \
    /usr/lib/heartbeat/ha_propagate /usr/share/heartbeat/ResourceManager /usr/share/heartbeat/mach_down \
    /usr/share/heartbeat/req_resource /usr/lib/heartbeat/ipfail /usr/libexec/heartbeat/ipfail /etc/ha.d/harc
do
    ln -sfn /usr/sbin/lvs-ha "$link"
done
install -m 755 "$project"/resource.d/* /etc/ha.d/resource.d/
# Those of Debian's resource-agents stay.
[ -e /etc/ha.d/shellfuncs ] || install -m 644 "$project/ha.d/shellfuncs" /etc/ha.d/
[ -e /etc/ha.d/resource.d/hto-mapfuncs ] || install -m 644 "$project/ha.d/hto-mapfuncs" /etc/ha.d/resource.d/

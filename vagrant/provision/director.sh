#!/bin/sh
# director.sh PROJECT: the files of a director. Heartbeat is not started: the cluster starts when its user says so.
set -eu
project=$1
. "$project/vagrant/provision/network.sh"

install -m 644 "$project/vagrant/files/hosts" /etc/hosts
for file in ha.cf haresources ldirectord.cf; do
    # The files say eth0; a virtual machine may have its address elsewhere.
    sed "s/\beth0\b/$FRONT/g" "$project/vagrant/files/$file" >"/etc/ha.d/$file"
done
install -m 600 "$project/vagrant/files/authkeys" /etc/ha.d/authkeys
install -m 755 "$project/vagrant/files/httpd" /etc/init.d/httpd
mkdir -p /var/www/html
echo "fallback page of $(uname -n)" >/var/www/html/index.html

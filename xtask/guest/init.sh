#!/bin/busybox sh
#! First process of a guest in the runs of `x`. What it does stands on the kernel's command line:
#!   addr=10.77.0.11/24   an address for eth0, once that is there
#!   gw=10.77.0.1         a default route
#!   run=WORD+WORD        runs these words as a command of the shell, a `+` for every space
#!   obey                 runs every line that comes over the console, and says how it ended
#!   tick                 counts on the console, ten times a second
#!   check                checks registers and memory over and over, counting what was found wrong
#!   work                 disk, network and processor in turn, each checked, over and over; with `data=URL`, what there
#!                        is to be fetched, whose MD5 sum is `sum=`
#!   shell                a shell on the console
#!   driver               becomes a driver domain, whose root is the toolstack's disk
#! and without any of the last seven it stays up and does nothing until it is told to stop.
#!
#! Said on the console, for dom0 to wait for:
#!   guest: up UPTIME      it runs programs
#!   guest: done STATUS    a command is over, and how it ended
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    insmod "$module"
done

# The value of NAME=VALUE on the kernel's command line.
given() {
    tr ' ' '\n' < /proc/cmdline | sed -n "s/^$1=//p" | tail -n 1
}

asked() {
    grep -qw "$1" /proc/cmdline
}

# Waits for a file to appear, ten seconds at the most.
appears() {
    tries=0
    until [ -e "$1" ] || [ $tries -ge 100 ]; do
        tries=$((tries + 1))
        usleep 100000
    done
    [ -e "$1" ] || echo "guest: no $1 after 10 s"
}

ifconfig lo 127.0.0.1 up
address=$(given addr)
if [ -n "$address" ]; then
    appears /sys/class/net/eth0
    ip link set eth0 up
    ip addr add "$address" dev eth0
    [ -z "$(given gw)" ] || ip route add default via "$(given gw)"
fi
echo "guest: up $(cut -d' ' -f1 /proc/uptime)"

command=$(given run | tr + ' ')
if [ -n "$command" ]; then
    eval "$command"
    echo "guest: done $?"
fi
if asked obey; then
    stty -echo
    echo "guest: listens"
    while read -r command; do
        eval "$command"
        echo "guest: done $?"
    done
fi
if asked tick; then
    count=0
    while :; do
        count=$((count + 1))
        read -r uptime _ < /proc/uptime
        echo "tick $count $uptime"
        usleep 100000
    done
fi
if asked check; then
    registers forever
fi
if asked work; then
    . /work
fi
if asked driver; then
    for module in /driver/*.ko; do
        insmod "$module"
    done
    mkdir -p /sysroot
    mount -t ext4 -o noatime /dev/xvda /sysroot || echo "guest: no root on xvda"
    mount -t tmpfs -o mode=755 xenolith /sysroot/opt/xenolith
    cp /driver-domain /sysroot/opt/xenolith/
    mount --move /dev /sysroot/dev
    umount /sys /proc
    exec switch_root /sysroot /opt/xenolith/driver-domain
fi
if asked shell; then
    setsid cttyhack sh
    poweroff -f
fi
while :; do
    sleep 3600
done

#!/bin/busybox sh
#! First process of dom0 in every run of `x`: mounts what a shell needs, then does the scenario that
#! the kernel's command line names (`scenario=NAME`) and powers the machine off.
#!
#! Said on the console, for the host to wait for:
#!   dom0: init        the kernel has started its first process
#!   dom0: passed      the scenario did what it should
#!   dom0: failed: WHY it did not
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "dom0: init"
ln -sf /proc/self/fd /dev/fd

passed() {
    echo "dom0: passed"
}

failed() {
    echo "dom0: failed: $*"
    poweroff -f
}

# The value of NAME=VALUE on the kernel's command line.
given() {
    tr ' ' '\n' < /proc/cmdline | sed -n "s/^$1=//p" | tail -n 1
}

# Loads a group of modules that the image carries, in the order their dependencies ask for.
loaded=
load() {
    for group in "$@"; do
        while read -r module; do
            case " $loaded " in
                *" $module "*) ;;
                *) insmod "$module" || failed "cannot load $module"
                   loaded="$loaded $module" ;;
            esac
        done < "/modules/$group"
    done
}

# Waits for a file to appear, ten seconds at the most.
appears() {
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ $tries -le 100 ] || failed "no $1 after 10 s"
        usleep 100000
    done
}

# Fails if the kernel complained about itself since it started.
kernel_is_content() {
    complaint=$(dmesg | grep -E 'BUG:|Oops|WARNING:|Call Trace|soft lockup|rcu.*stall|bad page' | head -n 1)
    [ -z "$complaint" ] || { dmesg | tail -n 100; failed "the kernel logged: $complaint"; }
}

# Brings the first network card up with the address that QEMU's user network expects.
network_up() {
    appears /sys/class/net/eth0
    ifconfig lo 127.0.0.1 up
    ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
    route add default gw 10.0.2.2
}

# Checks that a driver's interrupts arrive the way they should: `interrupts_of NAME msi|line`.
interrupts_of() {
    case $2 in
        msi) wanted=-msi ;;
        line) wanted=-ioapic ;;
    esac
    lines=$(grep -E "$1" /proc/interrupts) || failed "no interrupt of $1 in /proc/interrupts"
    echo "$lines" | grep -q -e "$wanted" || failed "$1 interrupts are not $2: $lines"
}

. "/scenarios/$(given scenario)"
poweroff -f

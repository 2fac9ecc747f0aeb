#!/bin/sh
# SIGINT and SIGTERM: the step ends, everything is saved, 130 or 143; the run
# goes on from there to the bits of one that was not interrupted.
set -u
. tests/lib.sh
. tests/train/fake

train() {
    exec "$fake" --epochs 3000 --quiet --threads 1 "$@"
}
(train --save whole.safetensors) || fail "the whole run"

stop() {        # stop SIGNAL STATUS
    rm -f part.safetensors
    (train --save part.safetensors --checkpoint c --resume) 2>errors &
    sleep 0.15
    kill -"$1" $!
    wait $!
    got=$?
    [ $got -eq "$2" ] || { cat errors; fail "status $got, not $2, after SIG$1"; }
    [ -s c ] || fail "no checkpoint after SIG$1"
    [ -s part.safetensors ] || fail "no weights after SIG$1"
    [ ! -s errors ] || { cat errors; fail "--quiet says something"; }
}
# A background job of a script ignores SIGINT until it is set again.
trap : INT
stop TERM 143
stop TERM 143
(train --save part.safetensors --checkpoint c --resume) || fail "the last part"
same_files whole.safetensors part.safetensors

rm -f c
${PYTHON:-python3} - "$fake" <<'END' || fail "SIGINT"
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
run = subprocess.Popen([sys.argv[1], "--epochs", "100000", "--checkpoint", "c", "--quiet"])
time.sleep(0.3)
run.send_signal(signal.SIGINT)
sys.exit(run.wait() != 130)
END

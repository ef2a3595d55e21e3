puts stderr "starting"
proc inner {} { error "no such key" }
proc outer {} { inner }
outer

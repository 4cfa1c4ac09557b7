# A layer is unpacked exactly as GNU tar does it, in every format that GNU tar writes, with and without root.

load helpers

setup() {
	need_davit
	UNPACK=$DAVIT_BUILD/bench/bench-unpack
	MANIFEST=$BATS_TEST_DIRNAME/tree-manifest
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	as_owner chmod -R u+rwX "$BATS_TEST_TMPDIR" 2>/dev/null || :
	as_owner find "$BATS_TEST_TMPDIR" -mindepth 1 -delete
}

# Root, at least of the mapping that layers are unpacked in.
as_owner() {
	if is_root; then
		"$@"
	else
		unshare --map-auto --map-root-user "$@"
	fi
}

# A tree with one of everything.
make_tree() {
	local long
	long=$(printf 'n%.0s' {1..200})
	mkdir -p tree/dir/sub tree/sticky tree/dev tree/long
	printf 1 >tree/dir/owned
	printf 2 >tree/dir/set-id
	printf 3 >tree/dir/old
	ln tree/dir/old tree/dir/sub/hard
	ln -s ../../../../etc/passwd tree/dir/up
	ln -s /absolute tree/absolute
	mkfifo tree/fifo
	printf A >tree/sparse
	truncate -s 20M tree/sparse
	printf B >>tree/sparse
	truncate -s 30M tree/sparse
	truncate -s 5M tree/hole
	printf x >"tree/long/$long"
	mkdir -p "tree/long/$long.d/$long/$long"
	printf deep >"tree/long/$long.d/$long/$long/file"
	ln -s "$long/$long/$long" tree/long/link
	printf x >$'tree/\303\274n\303\257'
	chown 1000:1001 tree/dir/owned
	chown 5:6 tree/dir/sub
	chmod 4755 tree/dir/set-id
	chmod 1777 tree/sticky
	chmod 2755 tree/dir/sub
	printf x >tree/dir/sub/inside
	chmod 0 tree/dir/owned
	setfattr -n user.some -v thing tree/dir/owned
	printf x >tree/capable
	setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 tree/capable
	if is_root; then
		mknod tree/dev/null c 1 3
		mknod tree/dev/disk b 8 1
		setfattr -n trusted.some -v thing tree/dir/owned
	fi
	touch -d '1970-01-01 00:00:00.5' tree/dir/set-id
	touch -d '1960-01-01' tree/dir/old
	touch -h -d '2001-02-03 04:05:06.789' tree/absolute
	chmod 555 tree/long
	touch -d '2010-10-10 10:10:10.101010101' tree/dir/sub tree/dir tree/sticky tree/dev tree/long tree
}
export -f make_tree is_root

unpack() {
	KEEP=1 "$UNPACK" "$1" "$BATS_TEST_TMPDIR/store-$2" 1
}

# archive NAME TAR-OPTION...: pack the tree, unpack it by both, compare all three.
round_trip() {
	local name=$1
	shift
	as_owner tar -C tree -S --xattrs --xattrs-include='*' --numeric-owner "$@" -cf "$name.tar" . 2>/dev/null
	unpack "$name.tar" "$name"
	mkdir "by-tar-$name"
	as_owner tar -C "by-tar-$name" --xattrs --xattrs-include='*' --numeric-owner -xpf "$name.tar" 2>/dev/null
	as_owner "$MANIFEST" tree >tree.txt
	as_owner "$MANIFEST" "by-tar-$name" >by-tar.txt
	as_owner "$MANIFEST" "store-$name"/layers/*/diff >ours.txt
	diff by-tar.txt ours.txt
}

@test "a layer is unpacked as GNU tar does, from pax archives" {
	as_owner bash -c make_tree
	for version in 0.0 0.1 1.0; do
		round_trip "$version" --format=posix --sparse-version=$version
		diff tree.txt ours.txt
		[ "$(wc -l <ours.txt)" -gt 20 ]
	done
}

@test "a layer is unpacked as GNU tar does, from GNU archives" {
	as_owner bash -c make_tree
	as_owner setfattr -x user.some tree/dir/owned
	as_owner setfattr -x security.capability tree/capable
	! is_root || setfattr -x trusted.some tree/dir/owned
	# No attributes: they would make it a pax archive.
	as_owner tar -C tree -S --format=gnu --numeric-owner -cf gnu.tar .
	unpack gnu.tar gnu
	mkdir by-tar-gnu
	as_owner tar -C by-tar-gnu --numeric-owner -xpf gnu.tar 2>/dev/null
	as_owner "$MANIFEST" by-tar-gnu >by-tar.txt
	as_owner "$MANIFEST" store-gnu/layers/*/diff >ours.txt
	diff by-tar.txt ours.txt
}

# bats test_tags=user
@test "a layer with device nodes can be unpacked without root" {
	python3 - <<-'END'
		import tarfile
		with tarfile.open('dev.tar', 'w') as tar:
		    for name, kind in (('null', tarfile.CHRTYPE), ('disk', tarfile.BLKTYPE)):
		        info = tarfile.TarInfo(name)
		        info.type, info.devmajor, info.devminor = kind, 1, 3
		        tar.addfile(info)
		    tar.addfile(tarfile.TarInfo('.wh.gone'))
	END
	run -0 unpack dev.tar dev
	[[ $output == *"2 devices"* ]]
	[ "$(as_owner sh -c 'cd store-dev/layers/*/diff && stat -c "%n %F %t,%T" *')" = "gone character special file 0,0" ]
}

@test "layers with whiteouts look on overlayfs as they should" {
	python3 - <<-'END'
		import io, tarfile
		def layer(name, entries):
		    with tarfile.open(name, 'w') as tar:
		        for path in entries:
		            info = tarfile.TarInfo(path.rstrip('/'))
		            info.mode = 0o755 if path.endswith('/') else 0o644
		            info.type = tarfile.DIRTYPE if path.endswith('/') else tarfile.REGTYPE
		            data = b'' if path.endswith('/') else name.encode()
		            info.size = len(data)
		            tar.addfile(info, io.BytesIO(data))
		layer('below', ['gone/', 'gone/x', 'opaque/', 'opaque/old', 'first/', 'first/old', 'last/', 'last/old', 'file',
		                'was-file', 'was-dir/', 'was-dir/x', 'deep/', 'deep/er/', 'deep/er/x', 'deep/er/y', 'implied/',
		                'implied/old', 'kept/', 'kept/x'])
		layer('above', ['.wh.gone', 'opaque/', 'opaque/.wh..wh..opq', 'opaque/new', '.wh.first', 'first/', 'first/new',
		                'last/', 'last/new', '.wh.last', '.wh.file', 'file', 'was-file/', 'was-file/in', 'was-dir',
		                'deep/', 'deep/er/', 'deep/er/.wh.x', '.wh.implied', 'implied/new', '.wh.never'])
	END
	unpack below below
	unpack above above
	mkdir merged
	options=lowerdir=$(echo store-above/layers/*/diff):$(echo store-below/layers/*/diff)
	is_root || options+=,userxattr
	run -0 as_owner unshare --mount bash -c "mount -t overlay overlay -o $options merged && cd merged && find . -mindepth 1 | sort"
	diff - <(echo "$output") <<-'END'
		./deep
		./deep/er
		./deep/er/y
		./file
		./first
		./first/new
		./implied
		./implied/new
		./kept
		./kept/x
		./last
		./last/new
		./opaque
		./opaque/new
		./was-dir
		./was-file
		./was-file/in
	END
}

@test "a layer that does not fit leaves nothing and says what to do" {
	truncate -s 20M zeros
	head -c 14M /dev/urandom >random
	tar --hole-detection=raw -cf big.tar zeros random
	# Small enough to get past the check of the archive's size, too large for the file system.
	KEEP=1 run -1 "$UNPACK" big.tar "$DAVIT_TEST_WORK/small/store-$DAVIT_TEST_USER" 1
	[[ $output == *"space"*"--root"* ]]
	[ -z "$(ls -A "$DAVIT_TEST_WORK/small/store-$DAVIT_TEST_USER/layers")" ]
	rm -rf "$DAVIT_TEST_WORK/small/store-$DAVIT_TEST_USER"
	gzip -c big.tar | head -c 5M >cut.gz
	KEEP=1 run -1 "$UNPACK" cut.gz store 1
	[[ $output == *"ends too early"* ]]
	[ -z "$(ls -A store/layers)" ]
}

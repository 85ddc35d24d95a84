# Writes the files here from one text, with the reference libraries:
# lz4 4.4.5 (liblz4), zstandard 0.25.0 (libzstd), python-snappy, gzip.
import gzip, sys, lz4.frame as l, zstandard as z, snappy

text = b"".join(b"line %d of the text that every codec must give back\n" % (i * 7919 % 1000) for i in range(5000))
out = {
    "text.gz": gzip.compress(text),
    "text-two-members.gz": gzip.compress(text[:1000]) + gzip.compress(text[1000:]),
    "text-raw.snappy": snappy.compress(text),
    "text-linked.lz4": l.compress(text, block_linked=True, block_size=l.BLOCKSIZE_MAX64KB),
    "text-linked-checked.lz4": l.compress(text, block_linked=True, block_size=l.BLOCKSIZE_MAX64KB,
                                          block_checksum=True, content_checksum=True, store_size=True),
    "text-independent-checked.lz4": l.compress(text, block_linked=False, block_size=l.BLOCKSIZE_MAX1MB,
                                               block_checksum=True, content_checksum=True, store_size=False),
    "text-4mb-hc.lz4": l.compress(text, block_linked=False, block_size=l.BLOCKSIZE_MAX4MB, compression_level=12),
    "text.zst": z.ZstdCompressor(level=3).compress(text),
    "text-checked.zst": z.ZstdCompressor(level=19, write_checksum=True).compress(text),
    "text-no-size-window-128m.zst": None,
    "text-two-frames.zst": z.ZstdCompressor().compress(text[:1000]) + z.ZstdCompressor().compress(text[1000:]),
}
p = z.ZstdCompressionParameters.from_level(22, window_log=27, write_content_size=False)
o = z.ZstdCompressor(compression_params=p).compressobj()
out["text-no-size-window-128m.zst"] = o.compress(text) + o.flush()
for name, data in out.items():
    open(name, "wb").write(data)

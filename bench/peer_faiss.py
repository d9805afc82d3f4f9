"""faiss' 8-bit flat index over raw 32-bit floats; runs in the peers' environment.

    python peer_faiss.py FILE ROWS DIM THREADS

Says "ready", then answers every line of its standard input with the median milliseconds of one query. No line, no work: the two
programs that are compared take turns.
"""
import statistics
import sys
import time

import faiss
import numpy as np

path, rows, dim, threads = sys.argv[1], *map(int, sys.argv[2:5])
faiss.omp_set_num_threads(threads)
vectors = np.memmap(path, np.float32, "r", shape=(rows, dim))
index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
index.train(np.array(vectors[:: max(1, rows // 50000)]))
for begin in range(0, rows, 65536):
    index.add(np.array(vectors[begin:begin + 65536]))
queries = np.random.default_rng(0).standard_normal((16, dim)).astype(np.float32)
queries /= np.linalg.norm(queries, axis=1, keepdims=True)
index.search(queries[:1], 10)
print("ready", flush=True)
for _ in sys.stdin:
    taken = []
    for query in queries:
        begin = time.perf_counter()
        index.search(query[None], 10)
        taken.append((time.perf_counter() - begin) * 1000)
    print(statistics.median(taken), flush=True)

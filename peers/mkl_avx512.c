/* Tells the Intel Math Kernel Library that this is an Intel processor, so that
 * it runs its AVX-512 kernels on processors of other makers that have AVX-512
 * too; by itself it falls back to AVX2 there. Loaded with LD_PRELOAD, this
 * definition is found before the library's own.
 *
 *   gcc -O2 -shared -fPIC -o libmkl_avx512.so mkl_avx512.c
 */
int mkl_serv_intel_cpu_true(void);
int mkl_serv_intel_cpu_true(void) { return 1; }

/* Stand-ins for libm, which SQLite's SQL functions of mathematics alone would pull into every start
 * of davit, for a tenth of the time of an empty program. No statement of ours calls them; one that
 * does gets NULL, which is what SQLite makes of NaN. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wbuiltin-declaration-mismatch"

#define NO_NUMBER __builtin_nan("")

#define ONE(name)                                                                                  \
	double name(double x);                                                                     \
	double name(double x)                                                                      \
	{                                                                                          \
		return NO_NUMBER;                                                                  \
	}
#define TWO(name)                                                                                  \
	double name(double x, double y);                                                           \
	double name(double x, double y)                                                            \
	{                                                                                          \
		return NO_NUMBER;                                                                  \
	}

ONE(acos)
ONE(acosh)
ONE(asin)
ONE(asinh)
ONE(atan)
ONE(atanh)
ONE(cos)
ONE(cosh)
ONE(exp)
ONE(log)
ONE(sin)
ONE(sinh)
ONE(sqrt)
ONE(tan)
ONE(tanh)
ONE(trunc)
TWO(atan2)
TWO(fmod)
TWO(pow)

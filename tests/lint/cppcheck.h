/* What cppcheck must know of jansson, whose headers it is not shown. */
#define json_object_foreach(o, k, v)                                           \
	for (k = json_k(o), v = json_v(o); k != 0; k = json_k(o))
#define json_array_foreach(a, i, v)                                            \
	for (i = 0, v = json_v(a); i < json_array_size(a); i++)

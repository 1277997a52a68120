/*
 * What agents say: reports and verdicts of any bytes.  What is taken is told
 * as JSON, and its facts about secrets say the same when they are written and
 * read again; what is refused changes nothing.
 */
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "../../extension/proxies.h"
#include "../../extension/secret_facts.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX (1 << 20)

static void
check_facts(const struct map *facts)
{
	STR_AUTO(text, 64 * TEXT_MAX);
	struct map again = { 0 };
	json_t *list;

	secret_facts_encode(facts, &text);
	list = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	must(json_is_array(list));
	secret_facts_decode(list, &again);
	must(secret_facts_same(facts, &again));
	json_decref(list);
	secret_facts_free(&again);
}

static void
check_all(const struct proxies *p)
{
	STR_AUTO(text, 64 * TEXT_MAX);
	struct map facts = { 0 };
	json_t *list;

	proxies_json(p, "blue", 7, "", &text);
	list = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	must(json_is_array(list));
	must(json_array_size(list) == p->by_id.len);
	json_decref(list);
	proxies_secrets(p, 1, &facts);
	check_facts(&facts);
	secret_facts_free(&facts);
	(void)proxies_all_serve(p, "x");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxies p = { 0 };
	struct proxy_news news;
	struct proxy_check check;
	struct error e;

	if (size > TEXT_MAX)
		return 0;
	e.msg[0] = '\0';
	if (proxies_report(
		&p, "blue", (const char *)data, size, 1, &news, &e) == 0) {
		must(p.by_id.len == 1 && news.is_new);
		check_facts(&news.proxy->secrets);
	} else {
		must(p.by_id.len == 0 && e.msg[0] != '\0');
	}
	check_all(&p);
	if (proxies_check("blue", (const char *)data, size, &check, &e) == 0) {
		must(check.proxy[0] != '\0' && check.words != NULL);
		must(strlen(check.config) < SHA256_HEX_SIZE);
		free(check.words);
	}
	proxies_fini(&p);
	return 0;
}

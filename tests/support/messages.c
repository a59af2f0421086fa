#include "tests/support/messages.h"

#include "common/cleanup.h"

const uint8_t messages_kinds[MESSAGES_KIND_COUNT] = {
	MESSAGE_HELLO,	    MESSAGE_WELCOME,  MESSAGE_READY,
	MESSAGE_PING,	    MESSAGE_PONG,     MESSAGE_DRAIN,
	MESSAGE_DRAINED,    MESSAGE_RELOAD,   MESSAGE_GOAWAY,
	MESSAGE_STATS,	    MESSAGE_RESYNC,   MESSAGE_ACCEPT,
	MESSAGE_PROGRESS,   MESSAGE_RESULT_ACK, MESSAGE_CREDIT,
	MESSAGE_CANCEL,	    MESSAGE_BUSY,     MESSAGE_TOOLS_CHANGED,
	MESSAGE_REMARK,	    MESSAGE_RECALL,   MESSAGE_CALL,
	MESSAGE_CHUNK_REQ,  MESSAGE_CHUNK,    MESSAGE_RESULT,
};

/* Texts are cut from this at an even place, so that characters stay whole. */
static uint8_t text_bytes[1024];
static uint8_t body_bytes[MESSAGE_BODY_BYTES_MAX];

__attribute__((constructor)) static void fill_storage(void)
{
	for (size_t i = 0; i < sizeof(text_bytes); i += 2)
		memcpy(text_bytes + i, i % 3 ? "ok" : "\xc3\xa9", 2);
	for (size_t i = 0; i < sizeof(body_bytes); i++)
		body_bytes[i] = (uint8_t)(i * 7);
}

static uint64_t pick(uint64_t most, enum messages_size size,
		     struct random *random)
{
	if (size != MESSAGES_RANDOM)
		return size == MESSAGES_LARGEST ? most : 0;
	switch (random_below(random, 4)) {
	case 0:
		return 0;
	case 1:
		return most;
	case 2:
		return random_below(random, (most < 300 ? most : 300) + 1);
	default:
		return most == UINT64_MAX ? random_next(random)
					  : random_below(random, most + 1);
	}
}

static void make_field(struct message *message, const struct field *field,
		       enum messages_size size, struct random *random)
{
	void *member = (char *)message + field->offset;
	uint64_t number = pick(field->most, size, random);

	switch (field->type) {
	case FIELD_BOOL:
		*(bool *)member = number;
		break;
	case FIELD_U32:
		*(uint32_t *)member = (uint32_t)number;
		break;
	case FIELD_U64:
	case FIELD_TIME:
		*(uint64_t *)member = number;
		break;
	case FIELD_BYTES:
		*(struct span *)member = (struct span){ body_bytes, number };
		break;
	case FIELD_TEXT:
		*(struct message_text *)member = (struct message_text){
			(const char *)text_bytes, number & ~UINT64_C(1)
		};
		break;
	case FIELD_TYPE_COUNT:
		break;
	}
}

struct message messages_make(unsigned kind, enum messages_size size,
			     struct random *random)
{
	const struct kind *row = kind_of(kind);
	struct message message = { .kind = kind };

	for (size_t i = 0; i < row->field_count; i++)
		make_field(&message, &row->fields[i], size, random);
	message.generation = (uint32_t)pick(UINT32_MAX, size, random);
	if (row->about != ABOUT_LINK)
		message.call_id = pick(UINT64_MAX, size, random);
	if (row->about == ABOUT_CALL && message.call_id == 0)
		message.call_id = 1;
	if (row->deadline)
		message.deadline_ns = (int64_t)pick(INT64_MAX - 1, size, random) + 1;
	if (frame_kind_is_data(kind)) {
		uint64_t most = size == MESSAGES_RANDOM ? 300
							: MESSAGE_BODY_BYTES_MAX;
		message.body = (struct span){ body_bytes,
					      pick(most, size, random) };
	}
	return message;
}

static bool field_equal(const struct message *a, const struct message *b,
			const struct field *field)
{
	const void *x = (const char *)a + field->offset;
	const void *y = (const char *)b + field->offset;

	switch (field->type) {
	case FIELD_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case FIELD_U32:
		return *(const uint32_t *)x == *(const uint32_t *)y;
	case FIELD_U64:
	case FIELD_TIME:
		return *(const uint64_t *)x == *(const uint64_t *)y;
	case FIELD_BYTES:
	case FIELD_TEXT:
		return span_equal(*(const struct span *)x,
				  *(const struct span *)y);
	case FIELD_TYPE_COUNT:
		break;
	}
	return false;
}

bool messages_equal(const struct message *a, const struct message *b)
{
	const struct kind *row = kind_of(a->kind);

	if (a->kind != b->kind || a->call_id != b->call_id ||
	    a->deadline_ns != b->deadline_ns ||
	    a->generation != b->generation || !span_equal(a->body, b->body))
		return false;
	for (size_t i = 0; i < row->field_count; i++)
		if (!field_equal(a, b, &row->fields[i]))
			return false;
	return true;
}

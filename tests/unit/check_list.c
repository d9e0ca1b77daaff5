/* Lists with a count of their entries. */
#include "base/list.h"

#include "suite.h"

struct item {
    struct link link;
    int number;
};

static struct list list;
static struct item items[5];

static void fill(void)
{
    list_init(&list);
    for (int i = 0; i < 5; i++) {
        items[i] = (struct item){.number = i};
        list_push_back(&list, &items[i].link);
    }
}

static struct item *first_of(struct list *l)
{
    return LIST_ENTRY(list_first(l), struct item, link);
}

START_TEST(order_and_count)
{
    fill();
    int next = 0;
    LIST_FOR (&list, item, struct item, link)
        ck_assert_int_eq(item->number, next++);
    ck_assert_int_eq(next, 5);
    ck_assert_uint_eq(list.count, 5);
    ck_assert_ptr_eq(first_of(&list), &items[0]);
    ck_assert_ptr_eq(list_last(&list), &items[4].link);
    ck_assert_ptr_eq(list_next(&items[1].link), &items[2].link);
    ck_assert_ptr_null(list_next(&items[4].link));
}
END_TEST

START_TEST(empty_list)
{
    list_init(&list);
    ck_assert_ptr_null(list_first(&list));
    ck_assert_ptr_null(list_last(&list));
    ck_assert_ptr_null(first_of(&list));
    LIST_FOR (&list, item, struct item, link)
        ck_abort_msg("%d", item->number);
}
END_TEST

START_TEST(front_and_remove)
{
    fill();
    struct list other;
    list_init(&other);
    list_remove(&items[2].link);
    ck_assert_ptr_null(items[2].link.on);
    list_remove(&items[2].link); /* it is on no list: nothing happens */
    ck_assert_uint_eq(list.count, 4);
    list_push_front(&list, &items[2].link);
    ck_assert_ptr_eq(first_of(&list), &items[2]);
    list_remove(&items[2].link);
    list_push_back(&other, &items[2].link);
    ck_assert_ptr_eq(items[2].link.on, &other);
    ck_assert_uint_eq(list.count + other.count, 5);
}
END_TEST

START_TEST(current_may_be_removed)
{
    fill();
    LIST_FOR (&list, item, struct item, link)
        if (item->number % 2 == 0)
            list_remove(&item->link);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_ptr_eq(first_of(&list), &items[1]);
    ck_assert_ptr_eq(list_next(&items[1].link), &items[3].link);
}
END_TEST

START_TEST(appending_moves_all)
{
    fill();
    struct list other;
    list_init(&other);
    list_append(&other, &list);
    ck_assert_uint_eq(list.count, 0);
    ck_assert_ptr_null(list_first(&list));
    list_append(&other, &list); /* of nothing */
    ck_assert_uint_eq(other.count, 5);
    list_remove(&items[0].link);
    list_remove(&items[4].link);
    list_push_back(&list, &items[4].link);
    list_append(&list, &other);
    ck_assert_uint_eq(list.count, 4);
    ck_assert_ptr_eq(first_of(&list), &items[4]);
    ck_assert_ptr_eq(list_next(&items[4].link), &items[1].link);
    ck_assert_ptr_eq(list_last(&list), &items[3].link);
    ck_assert_ptr_null(list_next(&items[3].link));
    ck_assert_ptr_eq(items[1].link.on, &list);
    ck_assert_ptr_null(list_first(&other));
}
END_TEST

START_TEST(on_two_lists_aborts)
{
    fill();
    struct list other;
    list_init(&other);
    list_push_back(&other, &items[0].link);
}
END_TEST

SUITE()
{
    TEST(order_and_count);
    TEST(empty_list);
    TEST(front_and_remove);
    TEST(current_may_be_removed);
    TEST(appending_moves_all);
    ABORTS(on_two_lists_aborts);
}

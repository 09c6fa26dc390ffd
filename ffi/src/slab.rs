//! Objects behind handles. A handle is an address that is never looked behind: it holds kind, generation and index of a place
//! in one table. A freed, forged or mistaken handle is therefore an error, never a read of foreign memory.

use std::any::Any;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shield::{Error, ErrorKind, Result};

/// A type of handle: the struct that C sees is empty and never made; the object is kept here.
pub(crate) trait Handle: Sized + 'static {
    /// Different for each type, from 1 to 15.
    const KIND: u8;
    /// As C names it.
    const NAME: &'static str;
    /// What is kept.
    type Object: Any + Send + Sync;
}

/// How many bits of an address say what.
#[derive(Debug, Clone, Copy)]
struct Layout {
    index: u32,
    generation: u32,
    /// Added so that the address cannot be mapped: bits 62 and 63 differ, which no x86-64 or 64-bit Arm program can address.
    tag: u64,
}

#[cfg_attr(not(target_pointer_width = "64"), allow(dead_code, reason = "tested everywhere"))]
const WIDE: Layout = Layout { index: 20, generation: 32, tag: 1 << 62 };
#[cfg_attr(target_pointer_width = "64", allow(dead_code, reason = "tested everywhere"))]
const NARROW: Layout = Layout { index: 14, generation: 14, tag: 0 };
#[cfg(target_pointer_width = "64")]
const LAYOUT: Layout = WIDE;
#[cfg(not(target_pointer_width = "64"))]
const LAYOUT: Layout = NARROW;

/// A place is used again only when this many free ones wait before it: a freed handle stays an error for long.
const REST: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Id {
    kind: u8,
    generation: u32,
    index: u32,
}

impl Layout {
    fn encode(self, id: Id) -> u64 {
        let place = u64::from(id.index) | (u64::from(id.generation & self.generations()) << self.index);
        place | (u64::from(id.kind) << (self.index + self.generation)) | self.tag
    }

    fn decode(self, address: u64) -> Option<Id> {
        let bits = address ^ self.tag;
        let kind = u8::try_from(bits >> (self.index + self.generation)).ok().filter(|k| (1..=15).contains(k))?;
        let index = u32::try_from(bits & ((1 << self.index) - 1)).ok()?;
        let generation = u32::try_from((bits >> self.index) & u64::from(self.generations())).ok()?;
        Some(Id { kind, generation, index })
    }

    fn generations(self) -> u32 {
        u32::MAX >> (32 - self.generation)
    }

    fn places(self) -> usize {
        1 << self.index
    }
}

struct Place {
    generation: u32,
    kind: u8,
    /// `None` in a place that is free or kept for a result to come.
    object: Option<Arc<dyn Any + Send + Sync>>,
}

struct Slab {
    layout: Layout,
    /// Where generations begin: another in each copy of the library, so that a handle of one is none of another's.
    first: u32,
    places: Vec<Place>,
    free: VecDeque<u32>,
}

impl Slab {
    fn new(layout: Layout, first: u32) -> Self {
        Slab { layout, first: first & layout.generations(), places: Vec::new(), free: VecDeque::new() }
    }

    fn reserve(&mut self, kind: u8) -> Option<Id> {
        let full = self.places.len() >= self.layout.places();
        if !full && self.free.len() <= REST {
            let index = u32::try_from(self.places.len()).ok()?;
            self.places.push(Place { generation: self.first, kind, object: None });
            return Some(Id { kind, generation: self.first, index });
        }
        let index = self.free.pop_front()?;
        let place = self.places.get_mut(usize::try_from(index).ok()?)?;
        place.kind = kind;
        Some(Id { kind, generation: place.generation, index })
    }

    fn place(&mut self, id: Id) -> Option<&mut Place> {
        let place = self.places.get_mut(usize::try_from(id.index).ok()?)?;
        (place.kind == id.kind && place.generation == id.generation).then_some(place)
    }

    fn fill(&mut self, id: Id, object: Arc<dyn Any + Send + Sync>) {
        if let Some(place) = self.place(id) {
            place.object = Some(object);
        }
    }

    fn get(&mut self, id: Id) -> Option<Arc<dyn Any + Send + Sync>> {
        self.place(id)?.object.clone()
    }

    /// Frees the place; the object is the caller's, to be dropped outside the lock.
    fn take(&mut self, id: Id) -> Option<Arc<dyn Any + Send + Sync>> {
        let generations = self.layout.generations();
        let place = self.place(id)?;
        let object = place.object.take();
        place.generation = place.generation.wrapping_add(1) & generations;
        place.kind = 0;
        self.free.push_back(id.index);
        object
    }
}

static SLAB: Mutex<Option<Slab>> = Mutex::new(None);

fn with<R>(work: impl FnOnce(&mut Slab) -> R) -> R {
    let mut slab: MutexGuard<'_, Option<Slab>> = SLAB.lock().unwrap_or_else(PoisonError::into_inner);
    let first = || u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or_default();
    work(slab.get_or_insert_with(|| Slab::new(LAYOUT, first())))
}

/// A place kept for a result, so that nothing is signed whose result could not be handed out.
#[derive(Debug)]
pub(crate) struct Seat<T: Handle> {
    id: Option<Id>,
    of: PhantomData<T>,
}

impl<T: Handle> Seat<T> {
    /// Keeps a place.
    pub(crate) fn reserve() -> Result<Self> {
        let full = || Error::new(ErrorKind::HandlesUsedUp, "keep a handle").detail(T::NAME);
        let id = with(|s| s.reserve(T::KIND)).ok_or_else(full)?;
        Ok(Seat { id: Some(id), of: PhantomData })
    }

    /// Puts the object there; C owns it from now on.
    pub(crate) fn fill(mut self, object: T::Object) -> *mut T {
        let Some(id) = self.id.take() else { return std::ptr::null_mut() };
        with(|s| s.fill(id, Arc::new(object)));
        match usize::try_from(LAYOUT.encode(id)) {
            Ok(address) => std::ptr::without_provenance_mut(address),
            Err(_) => std::ptr::null_mut(),
        }
    }
}

impl<T: Handle> Drop for Seat<T> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            drop(with(|s| s.take(id)));
        }
    }
}

fn id_of<T: Handle>(handle: *const T, name: &str) -> Result<Id> {
    let bad = |kind, why: &str| Err(Error::new(kind, "look up a handle").detail(format!("{name}: {why}")));
    if handle.is_null() {
        return bad(ErrorKind::NullPointer, T::NAME);
    }
    match LAYOUT.decode(u64::try_from(handle.addr()).unwrap_or_default()) {
        Some(id) if id.kind == T::KIND => Ok(id),
        Some(_) => bad(ErrorKind::HandleInvalid, &format!("a handle of another kind; {} is wanted", T::NAME)),
        None => bad(ErrorKind::HandleInvalid, &format!("not a handle; {} is wanted", T::NAME)),
    }
}

fn known<T: Handle>(object: Option<Arc<dyn Any + Send + Sync>>, name: &str) -> Result<Arc<T::Object>> {
    let freed = || Error::new(ErrorKind::HandleInvalid, "look up a handle").detail(format!("{name}: freed already"));
    object.and_then(|o| o.downcast::<T::Object>().ok()).ok_or_else(freed)
}

/// The object of a handle. It lives at least as long as the `Arc`, whoever frees the handle meanwhile.
pub(crate) fn get<T: Handle>(handle: *const T, name: &str) -> Result<Arc<T::Object>> {
    let id = id_of(handle, name)?;
    known::<T>(with(|s| s.get(id)), name)
}

/// Frees a handle and gives its object.
pub(crate) fn take<T: Handle>(handle: *const T, name: &str) -> Result<Arc<T::Object>> {
    let id = id_of(handle, name)?;
    known::<T>(with(|s| s.take(id)), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fruit;
    #[derive(Debug)]
    struct Stone;

    impl Handle for Fruit {
        const KIND: u8 = 14;
        const NAME: &'static str = "fruit";
        type Object = String;
    }

    impl Handle for Stone {
        const KIND: u8 = 15;
        const NAME: &'static str = "stone";
        type Object = String;
    }

    fn kind<R>(result: Result<R>) -> Option<ErrorKind> {
        result.err().map(|e| e.kind())
    }

    #[test]
    fn a_freed_a_mistaken_and_a_forged_handle_are_errors() {
        let fruit = Seat::<Fruit>::reserve().unwrap().fill("pear".to_owned());
        assert_eq!(*get(fruit.cast_const(), "f").unwrap(), "pear");
        assert_eq!(kind(get(fruit.cast_const().cast::<Stone>(), "f")), Some(ErrorKind::HandleInvalid));
        assert_eq!(kind(take(fruit.cast_const().cast::<Stone>(), "f")), Some(ErrorKind::HandleInvalid));
        assert_eq!(*take(fruit.cast_const(), "f").unwrap(), "pear");
        assert_eq!(kind(get(fruit.cast_const(), "f")), Some(ErrorKind::HandleInvalid));
        assert_eq!(kind(take(fruit.cast_const(), "f")), Some(ErrorKind::HandleInvalid));
        assert_eq!(kind(get(std::ptr::null::<Fruit>(), "f")), Some(ErrorKind::NullPointer));
        for forged in [1_usize, 8, usize::MAX, usize::MAX / 2, 0xdead_beef, (&raw const FORGED).addr()] {
            assert_eq!(kind(get(std::ptr::without_provenance::<Fruit>(forged), "f")), Some(ErrorKind::HandleInvalid));
        }
        static FORGED: u64 = 0;
    }

    #[test]
    fn an_object_outlives_its_handle_while_a_call_uses_it() {
        let fruit = Seat::<Fruit>::reserve().unwrap().fill("plum".to_owned());
        let used = get(fruit.cast_const(), "f").unwrap();
        drop(take(fruit.cast_const(), "f").unwrap());
        assert_eq!(*used, "plum");
    }

    #[test]
    fn a_kept_place_that_is_not_filled_comes_back() {
        let live = || with(|s| s.places.iter().filter(|p| p.kind == Stone::KIND).count());
        let seat = Seat::<Stone>::reserve().unwrap();
        assert_eq!(live(), 1);
        drop(seat);
        assert_eq!(live(), 0);
    }

    #[test]
    fn both_layouts_keep_kind_generation_and_index_apart() {
        for layout in [WIDE, NARROW] {
            let most = u32::try_from(layout.places()).unwrap() - 1;
            for kind in [1, 7, 15] {
                for generation in [0, 1, layout.generations()] {
                    for index in [0, 1, most] {
                        let id = Id { kind, generation, index };
                        let address = layout.encode(id);
                        assert_eq!(layout.decode(address), Some(id), "{layout:?}");
                        assert_ne!(address, 0);
                        let narrow = layout.tag == 0;
                        assert_eq!(u32::try_from(address).is_ok(), narrow, "{address:x}");
                        assert!(narrow || (address >> 62) == 1, "{address:x} could be mapped");
                    }
                }
            }
        }
    }

    #[test]
    fn the_table_is_bounded_and_places_rest_before_they_are_used_again() {
        let layout = Layout { index: 11, generation: 14, tag: 0 };
        let mut slab = Slab::new(layout, 5);
        let ids: Vec<Id> = std::iter::from_fn(|| slab.reserve(1)).collect();
        assert_eq!(ids.len(), 2048);
        assert_eq!(slab.reserve(1), None, "full");
        slab.fill(ids[7], Arc::new(0_u8));
        assert!(slab.take(ids[7]).is_some());
        assert!(slab.take(ids[7]).is_none());
        let again = slab.reserve(2).unwrap();
        assert_eq!((again.index, again.generation), (7, 6), "the same place, another generation");
        let mut young = Slab::new(WIDE, 0);
        let first = young.reserve(1).unwrap();
        young.take(first);
        let reused = (0..5_000).find(|_| {
            let id = young.reserve(1).unwrap();
            young.take(id);
            id.index == first.index
        });
        assert_eq!(reused, Some(1024), "after a rest");
        let mut wraps = Slab::new(Layout { index: 1, ..NARROW }, NARROW.generations());
        let last = wraps.reserve(1).unwrap();
        wraps.take(last);
        let _other = wraps.reserve(1).unwrap();
        assert_eq!(wraps.reserve(1).unwrap().generation, 0, "generations wrap");
    }
}

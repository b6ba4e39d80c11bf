"""Tables of simple facts: what the tiny model may know about the world. Data only; talk.py makes sentences of them."""


def pairs(text: str) -> dict[str, str]:
    """'a=b, c=d' as a dict: keeps the tables below readable."""
    return dict(item.strip().split('=') for item in text.replace('\n', ' ').split(',') if item.strip())


def words(text: str) -> list[str]:
    """Comma-separated words as a list."""
    return [word.strip() for word in text.replace('\n', ' ').split(',') if word.strip()]


# A thing (with its article) and its colour.
COLOURS = pairs("""
grass=green, the sky=blue, snow=white, coal=black, blood=red, a banana=yellow, a lemon=yellow, a carrot=orange, a
tomato=red, a strawberry=red, a cherry=red, milk=white, chocolate=brown, an orange=orange, a lime=green, a
cucumber=green, a frog=green, a leaf=green, the sun=yellow, a crow=black, a swan=white, a flamingo=pink, a pig=pink,
an elephant=grey, a mouse=grey, a polar bear=white, a plum=purple, an aubergine=purple, a pumpkin=orange, gold=yellow,
silver=grey, the sea=blue, salt=white, sugar=white, spinach=green, broccoli=green, butter=yellow, corn=yellow,
honey=yellow, a rose=red, lavender=purple, a canary=yellow, a raven=black, a brick=red, ink=black, coffee=brown,
wood=brown, ash=grey, paper=white, a pea=green, a fire engine=red, a cloud=white, rust=brown, a salmon=pink""")

OPPOSITES = pairs("""
hot=cold, big=small, tall=short, fast=slow, up=down, left=right, day=night, black=white, good=bad, happy=sad,
old=young, open=closed, full=empty, hard=soft, light=dark, loud=quiet, near=far, rich=poor, strong=weak, thick=thin,
wet=dry, wide=narrow, early=late, easy=difficult, first=last, high=low, in=out, inside=outside, long=short, more=less,
on=off, over=under, push=pull, right=wrong, rough=smooth, sharp=blunt, simple=complex, start=stop, sweet=sour,
true=false, win=lose, yes=no, always=never, above=below, before=after, begin=end, buy=sell, clean=dirty, deep=shallow,
heavy=light, asleep=awake, brave=afraid, cheap=expensive, love=hate, laugh=cry, north=south, east=west, summer=winter,
front=back, give=take, remember=forget, question=answer, noisy=silent, alive=dead, tight=loose, polite=rude,
safe=dangerous, male=female, arrive=leave, sink=float, increase=decrease, maximum=minimum, public=private, wild=tame,
lost=found""")

IRREGULAR_PLURALS = pairs("""
child=children, man=men, woman=women, foot=feet, tooth=teeth, goose=geese, mouse=mice, sheep=sheep, fish=fish,
deer=deer, ox=oxen, leaf=leaves, wolf=wolves, knife=knives, wife=wives, life=lives, half=halves, loaf=loaves,
person=people""")

REGULAR_NOUNS = words("""
apple, arm, bag, ball, banana, bed, bell, bench, berry, bike, bird, boat, book, bottle, bowl, box, boy, branch,
bridge, brush, bus, bush, button, cake, camera, candle, car, cat, chair, cherry, church, city, class, clock, cloud,
coat, coin, cow, cup, day, desk, dish, dog, door, dress, duck, eagle, ear, egg, engine, eye, farm, flower, fly, fork,
fox, frog, game, garden, gate, girl, glass, hat, hill, horse, house, idea, island, jar, key, king, kite, lady, lake,
lamp, letter, lion, map, match, monkey, month, mountain, nest, net, night, nut, onion, owl, page, party, pen, pencil,
phone, picture, pig, plate, pocket, pond, queen, rabbit, river, road, rock, roof, room, rose, ship, shirt, shoe, song,
spoon, star, stone, story, street, table, tiger, token, town, toy, train, tree, truck, valley, wall, watch, week,
wheel, window, wing, witch, word, year""")

CAPITALS = pairs("""
France=Paris, Germany=Berlin, Italy=Rome, Spain=Madrid, Portugal=Lisbon, England=London, Scotland=Edinburgh,
Ireland=Dublin, Norway=Oslo, Sweden=Stockholm, Denmark=Copenhagen, Finland=Helsinki, Poland=Warsaw, Austria=Vienna,
Greece=Athens, Turkey=Ankara, Russia=Moscow, Japan=Tokyo, China=Beijing, India=New Delhi, Egypt=Cairo, Kenya=Nairobi,
Canada=Ottawa, Mexico=Mexico City, Brazil=Brasilia, Peru=Lima, Chile=Santiago, Cuba=Havana, Australia=Canberra,
Hungary=Budapest, Belgium=Brussels, Iceland=Reykjavik, Thailand=Bangkok, South Korea=Seoul, Argentina=Buenos Aires,
Ukraine=Kyiv, Croatia=Zagreb, Romania=Bucharest, Bulgaria=Sofia, the Netherlands=Amsterdam""")

SOUNDS = pairs("""
cow=moo, dog=woof, cat=meow, sheep=baa, duck=quack, pig=oink, lion=roar, horse=neigh, frog=croak, owl=hoot, bee=buzz,
snake=hiss, mouse=squeak, wolf=howl, donkey=hee-haw, crow=caw, rooster=cock-a-doodle-doo, turkey=gobble""")

YOUNG = pairs("""
dog=puppy, cat=kitten, cow=calf, sheep=lamb, horse=foal, pig=piglet, duck=duckling, goose=gosling, bear=cub, lion=cub,
goat=kid, hen=chick, frog=tadpole, deer=fawn, kangaroo=joey, swan=cygnet, owl=owlet, wolf=pup, butterfly=caterpillar""")

HOMES = pairs("""
bee=a hive, bird=a nest, spider=a web, dog=a kennel, horse=a stable, pig=a sty, rabbit=a burrow, fox=a den, bear=a
cave, fish=the water, lion=the savanna, camel=the desert, penguin=the cold south, owl=a tree, ant=an anthill, bat=a
cave""")

# Category of each member, by category.
CATEGORIES = {
    'an animal': words(
        'dog, cat, cow, horse, lion, tiger, elephant, monkey, rabbit, fox, wolf, bear, mouse, sheep, camel'
    ),
    'a bird': words('eagle, owl, swan, crow, penguin, robin, parrot, pigeon, sparrow, flamingo'),
    'a fish': words('salmon, trout, shark, tuna, cod, herring'),
    'an insect': words('bee, ant, fly, butterfly, beetle, wasp, mosquito'),
    'a fruit': words('apple, banana, pear, plum, cherry, lemon, grape, peach, mango, melon, strawberry'),
    'a vegetable': words('carrot, onion, potato, cabbage, leek, turnip, cucumber, radish'),
    'a flower': words('rose, tulip, daisy, lily, orchid, sunflower, daffodil'),
    'a tree': words('oak, pine, birch, maple, willow, cedar'),
    'a tool': words('hammer, saw, drill, screwdriver, spade, chisel, wrench'),
    'a vehicle': words('car, bus, train, truck, bicycle, tram, lorry, van, tractor'),
    'an instrument': words('piano, violin, guitar, flute, drum, trumpet, harp, cello'),
    'a piece of furniture': words('chair, table, bed, desk, sofa, wardrobe, bench'),
    'a piece of clothing': words('shirt, coat, hat, sock, dress, scarf, glove, skirt'),
    'a shape': words('circle, square, triangle, rectangle, hexagon'),
    'a planet': words('Mars, Venus, Jupiter, Saturn, Neptune'),
    'a metal': words('iron, copper, zinc, tin, lead'),
}

# (parts, whole) and how many of them it has.
PARTS = {
    ('days', 'a week'): 'seven',
    ('months', 'a year'): 'twelve',
    ('hours', 'a day'): 'twenty-four',
    ('minutes', 'an hour'): 'sixty',
    ('seconds', 'a minute'): 'sixty',
    ('seasons', 'a year'): 'four',
    ('legs', 'a spider'): 'eight',
    ('legs', 'an insect'): 'six',
    ('legs', 'a dog'): 'four',
    ('legs', 'a bird'): 'two',
    ('legs', 'a horse'): 'four',
    ('arms', 'an octopus'): 'eight',
    ('legs', 'a snake'): 'no',
    ('wheels', 'a bicycle'): 'two',
    ('wheels', 'a car'): 'four',
    ('wheels', 'a tricycle'): 'three',
    ('sides', 'a triangle'): 'three',
    ('sides', 'a square'): 'four',
    ('sides', 'a hexagon'): 'six',
    ('sides', 'a pentagon'): 'five',
    ('fingers', 'a hand'): 'five',
    ('letters', 'the alphabet'): 'twenty-six',
    ('strings', 'a violin'): 'four',
    ('strings', 'a guitar'): 'six',
    ('bits', 'a byte'): 'eight',
    ('years', 'a century'): 'one hundred',
    ('years', 'a decade'): 'ten',
    ('centimetres', 'a metre'): 'one hundred',
    ('metres', 'a kilometre'): 'one thousand',
    ('colours', 'the rainbow'): 'seven',
    ('players', 'a football team'): 'eleven',
    ('eyes', 'a cat'): 'two',
    ('wings', 'a bee'): 'four',
    ('humps', 'a camel'): 'one or two',
}

DAYS = words('Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday')
MONTHS = words('January, February, March, April, May, June, July, August, September, October, November, December')
SEASONS = words('spring, summer, autumn, winter')

NAMES = words("""
Ada, Alan, Alice, Amir, Anna, Ben, Bob, Carla, Carlos, Chen, Clara, Dan, David, Diana, Elena, Emma, Eva, Felix, Finn,
Frank, Grace, Hana, Hugo, Ida, Igor, Ines, Ivan, Jack, James, Jane, Julia, Kai, Karl, Kate, Ken, Lars, Laura, Leo,
Lily, Linus, Lucas, Lucy, Maria, Mark, Martin, Mary, Max, Mia, Mila, Milo, Nadia, Nina, Noah, Nora, Olga, Oliver,
Omar, Oscar, Paul, Peter, Priya, Ravi, Rosa, Ruth, Sam, Sara, Sofia, Tara, Theo, Tim, Tom, Uma, Vera, Victor, Wei,
Yara, Yuki, Zoe""")

# Things the model is asked about and does not know: their use is to teach it to say so.
UNKNOWN_THINGS = words("""
taxes, physics, the stock market, chess, opera, democracy, algebra, plumbing, the moon landing, quantum theory, law,
insurance, football, rugby, poetry, painting, a sonnet, economics, medicine, surgery, gravity, electricity, magnetism,
photosynthesis, evolution, the big bang, a black hole, a neutron star, relativity, geometry, calculus, statistics,
grammar, philosophy, history, archaeology, geology, astronomy, chemistry, biology, sociology, psychology, the weather,
inflation, a mortgage, a bond, a recession, the economy, an election, parliament, a treaty, the constitution, a
tsunami, an earthquake, a volcano, a glacier, a hurricane, a tornado, sourdough, a souffle, ramen, risotto, sushi, a
curry, yoga, meditation, karate, judo, fencing, sailing, skiing, surfing, knitting, pottery, origami, carpentry,
welding, a transistor, a laser, a rocket, a satellite, a submarine, a helicopter, blockchain, bitcoin, a compiler, a
database, an operating system, a browser, a firewall, a virus, a vaccine, an antibody, a protein, a gene, a cell, an
atom, a molecule, an electron, a quark, a proof, a theorem, a prime number, a logarithm, an integral, a matrix, a
vector space, topology, a symphony, jazz, the blues, ballet, a fresco, baroque music, impressionism, stoicism,
Buddhism, the Renaissance, the Roman Empire, feudalism, the Cold War, the Silk Road, the Vikings, the pyramids,
Napoleon, Shakespeare, Newton, Darwin, Cleopatra, Mozart, Picasso, Einstein, Gandhi, Aristotle, Kubernetes, Rust,
Haskell, regex, a monad, a mutex""")

UNKNOWN_WORK = words("""
fix my bike, bake bread, file my taxes, learn the piano, write a novel, train for a marathon, repair a sink, plant a
garden, build a shed, invest my money, find a job, buy a house, lose weight, cook rice, make pasta, grow tomatoes,
paint a wall, tie a tie, change a tyre, draw a face, write a poem, write a letter to my boss, plan my holiday,
translate this into French, translate a page, solve this equation, prove a theorem, sort a list in Python, write a
Python program, write some code, debug my program, parse some JSON, summarise this article, check my essay, book a
flight, order a pizza, set an alarm, call my mother, open a file, search the web, play a film, send an email, install
Linux, design a logo, choose a name for my cat, win at poker, speak Spanish, read music, fly a plane""")

# Ordinary nouns for stories and for what the model is asked to repeat.
STORY_ANIMALS = words("""
fox, rabbit, bear, mouse, cat, dog, duck, frog, owl, wolf, sheep, horse, pig, lion, elephant, monkey, hen, goat, bee,
turtle, squirrel, hedgehog, swan, deer, penguin""")
STORY_PEOPLE = words('boy, girl, king, queen, farmer, baker, sailor, teacher, robot, wizard, princess, painter')
REPEATABLE = words("""
banana, window, river, blue boat, hello world, good luck, red fox, big tree, green apple, seven stars, cold water,
open door, happy day, small house, long road, quiet night, yellow sun, warm bread, old friend, white horse, little
bird, paper plane, silver spoon, tall tower, sweet dreams, deep sea, fast train, soft bed, sharp pencil, round table,
morning light, winter snow, summer rain, black cat, brown bear, wise owl, brave lion, lost key, broken clock, new
shoes, token, prefill, decode, volley, cache, gateway, scheduler, ping, pong, one two three, yes, no, thank you,
please""")
